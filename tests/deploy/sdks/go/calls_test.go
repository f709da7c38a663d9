package sdks

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func call(to string) *api.CreateCallParams {
	return (&api.CreateCallParams{}).SetTo(to).SetFrom(sender).SetTwiml(talk)
}

func dial(t *testing.T, params *api.CreateCallParams) *api.ApiV2010Call {
	t.Helper()
	made, err := sdk.Api.CreateCall(params)
	check(t, err)
	return made
}

// talking is a call a minute later.
func talking(t *testing.T, params *api.CreateCallParams) string {
	t.Helper()
	made := dial(t, params)
	pass(t, 60)
	return *made.Sid
}

func TestACallIsMadeAnsweredHungUpAndDeleted(t *testing.T) {
	created := now(t)
	made := dial(t, call("+15559200011"))
	shows(t, made, values{
		"Sid": sid("CA"), "AccountSid": account, "ApiVersion": "2010-04-01", "To": "+15559200011", "From": sender,
		"Status": "queued", "Direction": "outbound-api", "DateCreated": created, "DateUpdated": created,
		"StartTime": nil, "EndTime": nil, "Duration": nil, "Price": nil, "PriceUnit": "USD", "AnsweredBy": nil,
		"ParentCallSid": nil,
	})
	pass(t, 60)
	answered, err := sdk.Api.FetchCall(*made.Sid, nil)
	check(t, err)
	shows(t, answered, values{"Status": "in-progress", "DateCreated": created, "EndTime": nil})
	started := date(t, answered.StartTime)
	if !started.After(created) {
		t.Errorf("started at %v", started)
	}
	refused(t, sdk.Api.DeleteCall(*made.Sid, nil), 409, 20009)
	ended, err := sdk.Api.UpdateCall(*made.Sid, (&api.UpdateCallParams{}).SetStatus("completed"))
	check(t, err)
	shows(t, ended, values{"Status": "completed", "EndTime": now(t), "Price": "-0.01400"})
	seconds, err := strconv.Atoi(*ended.Duration)
	check(t, err)
	if lasted := date(t, ended.EndTime).Sub(started).Seconds(); math.Abs(lasted-float64(seconds)) > 1 {
		t.Errorf("lasted %v s, and says %d", lasted, seconds)
	}
	check(t, sdk.Api.DeleteCall(*made.Sid, nil))
	_, err = sdk.Api.FetchCall(*made.Sid, nil)
	missing(t, err)
}

func TestACallIsToldToDoSomethingElse(t *testing.T) {
	callSid := talking(t, call("+15559200012"))
	hangUp := (&api.UpdateCallParams{}).SetTwiml("<Response><Hangup/></Response>")
	_, err := sdk.Api.UpdateCall(callSid, hangUp)
	check(t, err)
	pass(t, 5)
	found, err := sdk.Api.FetchCall(callSid, nil)
	check(t, err)
	shows(t, found, values{"Status": "completed"})
}

func TestACallEnds(t *testing.T) {
	for to, status := range map[string]string{
		"+15005570001": "busy", "+15005570002": "no-answer", "+15005570003": "failed",
	} {
		t.Run(status, func(t *testing.T) {
			made := dial(t, call(to))
			pass(t, 120)
			found, err := sdk.Api.FetchCall(*made.Sid, nil)
			check(t, err)
			shows(t, found, values{"Status": status, "StartTime": nil, "Duration": "0", "Price": nil})
		})
	}
}

func TestCallsAreListedInPagesByStatusAndByTime(t *testing.T) {
	to, before := "+15559200013", now(t)
	made := []string{}
	for n := 0; n < 5; n++ {
		made = append(made, *dial(t, call(to)).Sid)
	}
	pass(t, 60)
	_, err := sdk.Api.UpdateCall(made[0], (&api.UpdateCallParams{}).SetStatus("completed"))
	check(t, err)
	list := func() *api.ListCallParams { return (&api.ListCallParams{}).SetTo(to) }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Call, error) {
		return sdk.Api.ListCall(list().SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "Sid"), made...)
	found, err = sdk.Api.ListCall(list().SetStatus("completed"))
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), made[0])
	found, err = sdk.Api.ListCall(list().SetStartTimeBefore(before.Add(-24 * time.Hour)))
	check(t, err)
	if len(found) != 0 {
		t.Errorf("%d calls began the day before", len(found))
	}
}

func TestACallIsRecordedPausedResumedStoppedAndTheRecordingDeleted(t *testing.T) {
	callSid := talking(t, call("+15559200014"))
	created := now(t)
	both := (&api.CreateCallRecordingParams{}).SetRecordingChannels("dual").SetRecordingTrack("both")
	begun, err := sdk.Api.CreateCallRecording(callSid, both)
	check(t, err)
	shows(t, begun, values{
		"Sid": sid("RE"), "AccountSid": account, "CallSid": callSid, "Status": "in-progress", "Channels": 2,
		"Source": "StartCallRecordingAPI", "Track": "both", "DateCreated": created, "StartTime": created,
		"Duration": nil, "Price": nil, "ErrorCode": nil,
	})
	become := func(status string, seconds int) *api.ApiV2010CallRecording {
		params := (&api.UpdateCallRecordingParams{}).SetStatus(status).SetPauseBehavior("skip")
		changed, err := sdk.Api.UpdateCallRecording(callSid, "Twilio.CURRENT", params)
		check(t, err)
		pass(t, seconds)
		return changed
	}
	shows(t, become("paused", 10), values{"Status": "paused"})
	shows(t, become("in-progress", 7), values{"Status": "in-progress"})
	shows(t, become("stopped", 60), values{"Sid": *begun.Sid})
	made, err := sdk.Api.FetchCallRecording(callSid, *begun.Sid, nil)
	check(t, err)
	shows(t, made, values{"Status": "completed", "Duration": "7", "Price": float32(-0.0025)})
	found, err := sdk.Api.ListCallRecording(callSid, nil)
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), *begun.Sid)
	check(t, sdk.Api.DeleteCallRecording(callSid, *begun.Sid, nil))
	_, err = sdk.Api.FetchCallRecording(callSid, *begun.Sid, nil)
	missing(t, err)
}

func TestRecordingsOfACallAreListedInPages(t *testing.T) {
	thrice := "<Response>" + strings.Repeat("<Record maxLength='5'/>", 3) + "</Response>"
	callSid := talking(t, call("+15559200015").SetTwiml(thrice))
	found := inPages(t, 2, func(size int) ([]api.ApiV2010CallRecording, error) {
		return sdk.Api.ListCallRecording(callSid, (&api.ListCallRecordingParams{}).SetPageSize(size))
	})
	if len(found) != 3 {
		t.Errorf("%d recordings", len(found))
	}
	for _, each := range found {
		shows(t, each, values{"CallSid": callSid, "Source": "RecordVerb", "Status": "completed"})
	}
}

func TestACallIsPutIntoWordsUntilThatIsStopped(t *testing.T) {
	callSid := talking(t, call("+15559200016"))
	words := (&api.CreateRealtimeTranscriptionParams{}).SetName("words").SetTrack("both_tracks")
	begun, err := sdk.Api.CreateRealtimeTranscription(callSid, words)
	check(t, err)
	shows(t, begun, values{
		"Sid": sid("GT"), "AccountSid": account, "CallSid": callSid, "Name": "words", "Status": "in-progress",
		"DateUpdated": now(t),
	})
	pass(t, 10)
	stop := (&api.UpdateRealtimeTranscriptionParams{}).SetStatus("stopped")
	stopped, err := sdk.Api.UpdateRealtimeTranscription(callSid, *begun.Sid, stop)
	check(t, err)
	shows(t, stopped, values{"Sid": *begun.Sid, "Status": "stopped", "DateUpdated": now(t)})
}
