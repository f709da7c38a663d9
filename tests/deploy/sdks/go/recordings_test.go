package sdks

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// dictated is a call with three recordings, each of them transcribed; newest first.
func dictated(t *testing.T, to string) (callSid string, made []api.ApiV2010Recording) {
	t.Helper()
	thrice := "<Response>" + strings.Repeat("<Record maxLength='5' transcribe='true'/>", 3) + "</Response>"
	callSid = *dial(t, call(to).SetTwiml(thrice)).Sid
	pass(t, 120)
	made, err := sdk.Api.ListRecording((&api.ListRecordingParams{}).SetCallSid(callSid))
	check(t, err)
	if len(made) != 3 {
		t.Fatalf("%d recordings", len(made))
	}
	return callSid, made
}

func TestRecordingsAreListedInPagesFetchedAndDeleted(t *testing.T) {
	callSid, made := dictated(t, "+15559200031")
	listed := inPages(t, 2, func(size int) ([]api.ApiV2010Recording, error) {
		return sdk.Api.ListRecording((&api.ListRecordingParams{}).SetCallSid(callSid).SetPageSize(size))
	})
	newestFirst(t, texts(t, listed, "Sid"), *made[2].Sid, *made[1].Sid, *made[0].Sid)
	recordingSid := *made[0].Sid
	found, err := sdk.Api.FetchRecording(recordingSid, nil)
	check(t, err)
	shows(t, found, values{
		"Sid": sid("RE"), "AccountSid": account, "ApiVersion": "2010-04-01", "CallSid": callSid, "ConferenceSid": nil,
		"Status": "completed", "Channels": 1, "Source": "RecordVerb", "Duration": like("[1-5]"), "Price": "-0.00250",
		"PriceUnit": "USD", "ErrorCode": nil, "DateCreated": *made[0].DateCreated,
		"MediaUrl": like("https:.*/Recordings/RE[0-9a-f]{32}"),
	})
	if !date(t, found.DateCreated).After(date(t, made[2].DateCreated)) {
		t.Errorf("the last is of %s, the first of %s", *found.DateCreated, *made[2].DateCreated)
	}
	check(t, sdk.Api.DeleteRecording(recordingSid, nil))
	_, err = sdk.Api.FetchRecording(recordingSid, nil)
	missing(t, err)
	deleted, err := sdk.Api.FetchRecording(recordingSid, (&api.FetchRecordingParams{}).SetIncludeSoftDeleted(true))
	check(t, err)
	shows(t, deleted, values{"Status": "deleted"})
}

func TestTheSoundOfARecordingIsForWhoHasTheCredentials(t *testing.T) {
	_, made := dictated(t, "+15559200032")
	where := *made[0].MediaUrl
	wav, err := sdk.Client.SendRequest("GET", where+".wav", nil, nil)
	check(t, err)
	defer wav.Body.Close()
	sound, err := io.ReadAll(wav.Body)
	check(t, err)
	seconds, err := strconv.Atoi(*made[0].Duration)
	check(t, err)
	if kind := wav.Header.Get("Content-Type"); kind != "audio/x-wav" || len(sound) <= 8000*seconds {
		t.Fatalf("%d bytes of %s for %d s", len(sound), kind, seconds)
	}
	if string(sound[:4])+string(sound[8:12]) != "RIFFWAVE" {
		t.Errorf("it begins with %q", sound[:12])
	}
	mp3, err := sdk.Client.SendRequest("GET", where+".mp3", nil, nil)
	check(t, err)
	mp3.Body.Close()
	if kind := mp3.Header.Get("Content-Type"); kind != "audio/mpeg" {
		t.Error(kind)
	}
	closed, err := (&http.Client{Transport: wire}).Get(where + ".wav")
	check(t, err)
	closed.Body.Close()
	if closed.StatusCode != 401 {
		t.Errorf("without credentials: %d", closed.StatusCode)
	}
}

func TestTranscriptionsOfARecordingAreListedFetchedAndDeleted(t *testing.T) {
	_, made := dictated(t, "+15559200033")
	recordingSid := *made[0].Sid
	found, err := sdk.Api.ListRecordingTranscription(recordingSid, nil)
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("%d transcriptions", len(found))
	}
	words, err := sdk.Api.FetchRecordingTranscription(recordingSid, *found[0].Sid, nil)
	check(t, err)
	shows(t, words, values{"Sid": *found[0].Sid, "RecordingSid": recordingSid, "Price": float32(-0.05)})
	check(t, sdk.Api.DeleteRecordingTranscription(recordingSid, *words.Sid, nil))
	_, err = sdk.Api.FetchRecordingTranscription(recordingSid, *words.Sid, nil)
	missing(t, err)
}

func TestTranscriptionsAreListedInPagesFetchedAndDeleted(t *testing.T) {
	_, made := dictated(t, "+15559200034")
	listed := inPages(t, 2, func(size int) ([]api.ApiV2010Transcription, error) {
		return sdk.Api.ListTranscription((&api.ListTranscriptionParams{}).SetPageSize(size))
	})
	newestFirst(t, texts(t, listed, "RecordingSid"), *made[2].Sid, *made[1].Sid, *made[0].Sid)
	words, err := sdk.Api.FetchTranscription(*listed[0].Sid, nil)
	check(t, err)
	shows(t, words, values{
		"Sid": sid("TR"), "AccountSid": account, "RecordingSid": *made[0].Sid, "Status": "completed", "Type": "fast",
		"TranscriptionText": like(`.*\w.*`), "Duration": like("[1-5]"), "Price": float32(-0.05), "PriceUnit": "USD",
	})
	if date(t, words.DateUpdated).Before(date(t, words.DateCreated)) {
		t.Errorf("updated at %s, created at %s", *words.DateUpdated, *words.DateCreated)
	}
	check(t, sdk.Api.DeleteTranscription(*words.Sid, nil))
	_, err = sdk.Api.FetchTranscription(*words.Sid, nil)
	missing(t, err)
}
