package sdks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

const (
	somebody = "+15559200060"
	spoken   = "Grüße, 你好 & 1+1=2 'so' 100%"
)

// documents are answered at these paths; 204 at any other.
var documents = map[string]string{
	"/voice-request": `<Response>
		<Mumble/>
		<Record maxLength="5" action="/voice-action" transcribeCallback="/transcription"/>
	</Response>`,
	"/voice-action": talk,
	"/announcement": "<Response><Say>Welcome</Say></Response>",
}

// coming is how many callbacks come to a path at least, and by which method.
var coming = map[string]struct {
	least  int
	method string
}{
	"/message-status":          {2, "POST"},
	"/inbound-message":         {1, "POST"},
	"/voice-request":           {2, "GET"},
	"/voice-action":            {2, "POST"},
	"/call-status":             {4, "POST"},
	"/amd-status":              {1, "POST"},
	"/recording-status":        {2, "POST"},
	"/transcription":           {2, "POST"},
	"/live-transcription":      {3, "POST"},
	"/participant-call-status": {8, "POST"},
	"/conference-status":       {6, "GET"},
	"/announcement":            {1, "POST"},
	"/caller-id-status":        {1, "POST"},
	"/debugger":                {2, "POST"},
	"/event-streams":           {1, "POST"},
	"/event":                   {2, "POST"},
}

type callback struct {
	method, url, signature string
	body                   []byte
}

type receiver struct {
	sync.Mutex
	base     string
	received map[string][]callback
}

// listening is a server for callbacks, until the end of the test.
func listening(t *testing.T) *receiver {
	kept := &receiver{received: map[string][]callback{}}
	server := httptest.NewServer(kept)
	t.Cleanup(server.Close)
	kept.base = server.URL
	return kept
}

func (kept *receiver) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		writer.WriteHeader(500)
		return
	}
	kept.Lock()
	defer kept.Unlock()
	path := request.URL.Path
	signature := request.Header.Get("X-Twilio-Signature")
	came := callback{request.Method, kept.base + request.RequestURI, signature, body}
	kept.received[path] = append(kept.received[path], came)
	if document, is := documents[path]; is {
		writer.Header().Set("Content-Type", "text/xml") // or Go takes TwiML for plain text, and that is said
		_, _ = io.WriteString(writer, document)
		return
	}
	writer.WriteHeader(204)
}

// everything has the emulator call back about each thing that it calls back about.
func everything(t *testing.T, at func(path string) string) {
	control(t, "POST", "event-streams", map[string]interface{}{"url": at("/event-streams")})
	defer control(t, "POST", "event-streams", map[string]interface{}{"url": nil})
	control(t, "POST", "debugger", map[string]interface{}{"url": at("/debugger")})
	defer control(t, "POST", "debugger", map[string]interface{}{"url": nil})
	status := message("+15005560000").SetBody(spoken).SetStatusCallback(at("/message-status?action=a%20b&note=it's"))
	send(t, status)
	written := map[string]string{"from": somebody, "to": sender, "body": spoken, "url": at("/inbound-message")}
	control(t, "POST", "inbound/messages", written)
	rung := map[string]string{"from": somebody, "to": sender, "url": at("/voice-request"), "method": "GET"}
	control(t, "POST", "inbound/calls", rung)
	verify := (&api.CreateValidationRequestParams{}).SetPhoneNumber(somebody)
	_, err := sdk.Api.CreateValidationRequest(verify.SetStatusCallback(at("/caller-id-status")))
	check(t, err)

	events := []string{"initiated", "ringing", "answered", "completed"}
	heard := (&api.CreateCallParams{}).SetTo(somebody).SetFrom(sender).SetUrl(at("/voice-request")).SetMethod("GET").
		SetStatusCallback(at("/call-status")).SetStatusCallbackEvent(events).
		SetRecord(true).SetRecordingStatusCallback(at("/recording-status")).
		SetRecordingStatusCallbackEvent([]string{"in-progress", "completed"}).
		SetMachineDetection("Enable").SetAsyncAmd("true").SetAsyncAmdStatusCallback(at("/amd-status"))
	callSid := *dial(t, heard).Sid
	room := ""
	for _, label := range []string{"Ada", "Bob"} {
		params := participant(label).SetStatusCallback(at("/participant-call-status")).SetStatusCallbackEvent(events).
			SetConferenceStatusCallback(at("/conference-status")).SetConferenceStatusCallbackMethod("GET").
			SetConferenceStatusCallbackEvent([]string{"start", "end", "join", "leave", "mute", "announcement"})
		room = *add(t, "heard", params).ConferenceSid
	}
	pass(t, 60)
	words := (&api.CreateRealtimeTranscriptionParams{}).SetStatusCallbackUrl(at("/live-transcription"))
	_, err = sdk.Api.CreateRealtimeTranscription(callSid, words)
	check(t, err)
	_, err = sdk.Api.UpdateParticipant(room, "Ada", (&api.UpdateParticipantParams{}).SetMuted(true))
	check(t, err)
	_, err = sdk.Api.UpdateConference(room, (&api.UpdateConferenceParams{}).SetAnnounceUrl(at("/announcement")))
	check(t, err)
	pass(t, 60)
	_, err = sdk.Api.UpdateCall(callSid, (&api.UpdateCallParams{}).SetStatus("completed"))
	check(t, err)
	end(t, room)
	pass(t, 60)
	control(t, "POST", "event-streams", map[string]interface{}{"url": at("/event"), "batch": false})
	send(t, status)
	pass(t, 60)
}

// isValid is what the SDK's validator says: of a form posted, of what is in the URL, of JSON whose hash is in the URL.
func (each callback) isValid(secret string) bool {
	validator := client.NewRequestValidator(secret)
	if each.method == "GET" {
		return validator.Validate(each.url, nil, each.signature)
	}
	return validator.ValidateBody(each.url, each.body, each.signature)
}

func (each callback) tampered() callback {
	each.url = strings.ReplaceAll(each.url, account, nobody("AC"))
	each.body = []byte(strings.ReplaceAll(string(each.body), account, nobody("AC")))
	return each
}

func TestTheValidatorAcceptsCallbacksAndNothingElse(t *testing.T) {
	kept := listening(t)
	everything(t, func(path string) string { return kept.base + path })
	for path := range kept.received {
		if _, is := coming[path]; !is {
			t.Errorf("something came to %s", path)
		}
	}
	for path, what := range coming {
		t.Run(path, func(t *testing.T) {
			found := kept.received[path]
			if len(found) < what.least {
				t.Errorf("%d callbacks instead of %d", len(found), what.least)
			}
			for _, each := range found {
				elsewhere, unsigned := each, each
				elsewhere.url += "?"
				unsigned.signature = ""
				verdicts := []bool{
					each.method == what.method, each.isValid(token), each.isValid(nobody("")),
					each.tampered().isValid(token), elsewhere.isValid(token), unsigned.isValid(token),
				}
				if !reflect.DeepEqual(verdicts, []bool{true, true, false, false, false, false}) {
					t.Errorf("%s %s: %v", each.method, each.url, verdicts)
				}
			}
		})
	}
	t.Run("words come as they were written", func(t *testing.T) {
		form, err := url.ParseQuery(string(kept.received["/inbound-message"][0].body))
		check(t, err)
		if form.Get("Body") != spoken {
			t.Error(form.Get("Body"))
		}
	})
	t.Run("events come in arrays, or one by one", func(t *testing.T) {
		type event struct{ Type string }
		types := map[string]bool{}
		for _, each := range kept.received["/event-streams"] {
			var batch []event
			check(t, json.Unmarshal(each.body, &batch))
			for _, one := range batch {
				types[one.Type] = true
			}
		}
		for _, wanted := range []string{"messaging.message.delivered", "voice.status-callback.call.completed"} {
			if !types["com.twilio."+wanted] {
				t.Errorf("no %s among %v", wanted, types)
			}
		}
		single := []string{}
		for _, each := range kept.received["/event"] {
			var one event
			check(t, json.Unmarshal(each.body, &one))
			single = append(single, one.Type)
		}
		sort.Strings(single)
		if !reflect.DeepEqual(single, []string{
			"com.twilio.messaging.message.delivered", "com.twilio.messaging.message.sent",
		}) {
			t.Error(single)
		}
	})
}
