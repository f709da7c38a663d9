package sdks

import (
	"fmt"
	"testing"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func participant(label string) *api.CreateParticipantParams {
	return (&api.CreateParticipantParams{}).SetTo("+15559200020").SetFrom(sender).SetLabel(label)
}

func add(t *testing.T, room string, params *api.CreateParticipantParams) *api.ApiV2010Participant {
	t.Helper()
	made, err := sdk.Api.CreateParticipant(room, params)
	check(t, err)
	return made
}

// meeting is a conference of so many people who have come, and their calls.
func meeting(t *testing.T, room string, people int, record string) (conferenceSid string, callSids []string) {
	t.Helper()
	for n := 0; n < people; n++ {
		made := add(t, room, participant(fmt.Sprintf("%s-%d", room, n)).SetConferenceRecord(record))
		conferenceSid, callSids = *made.ConferenceSid, append(callSids, *made.CallSid)
	}
	pass(t, 60)
	return conferenceSid, callSids
}

func end(t *testing.T, conferenceSid string) *api.ApiV2010Conference {
	t.Helper()
	ended, err := sdk.Api.UpdateConference(conferenceSid, (&api.UpdateConferenceParams{}).SetStatus("completed"))
	check(t, err)
	return ended
}

func TestAConferenceBeginsIsReadAndIsEnded(t *testing.T) {
	created := now(t)
	conferenceSid, _ := meeting(t, "standup", 2, "do-not-record")
	found, err := sdk.Api.FetchConference(conferenceSid, nil)
	check(t, err)
	shows(t, found, values{
		"Sid": sid("CF"), "AccountSid": account, "ApiVersion": "2010-04-01", "FriendlyName": "standup",
		"Status": "in-progress", "Region": "us1", "DateCreated": created, "ReasonConferenceEnded": nil,
		"CallSidEndingConference": nil,
	})
	shows(t, end(t, conferenceSid), values{
		"Status": "completed", "ReasonConferenceEnded": "conference-ended-via-api", "DateUpdated": now(t),
	})
}

func TestConferencesAreListedInPagesByNameAndByStatus(t *testing.T) {
	made := []string{}
	for _, room := range []string{"one", "two", "three"} {
		conferenceSid, _ := meeting(t, room, 1, "do-not-record")
		made = append(made, conferenceSid)
	}
	list := func() *api.ListConferenceParams { return &api.ListConferenceParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Conference, error) {
		return sdk.Api.ListConference(list().SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "Sid"), made...)
	found, err := sdk.Api.ListConference(list().SetFriendlyName("two"))
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), made[1])
	found, err = sdk.Api.ListConference(list().SetStatus("init"))
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), made...)
}

func TestAParticipantIsAddedMutedHeldAndRemoved(t *testing.T) {
	created := now(t)
	made := add(t, "planning", participant("Ada").SetEndConferenceOnExit(false))
	shows(t, made, values{
		"AccountSid": account, "CallSid": sid("CA"), "ConferenceSid": sid("CF"), "Label": "Ada", "Status": "queued",
		"Muted": false, "Hold": false, "Coaching": false, "CallSidToCoach": nil, "StartConferenceOnEnter": true,
		"EndConferenceOnExit": false, "DateCreated": created, "DateUpdated": created,
	})
	pass(t, 60)
	room := *made.ConferenceSid
	found, err := sdk.Api.FetchParticipant(room, "Ada", nil)
	check(t, err)
	shows(t, found, values{"CallSid": *made.CallSid, "Status": "connected", "DateCreated": created})
	update := func() *api.UpdateParticipantParams { return &api.UpdateParticipantParams{} }
	muted, err := sdk.Api.UpdateParticipant(room, *made.CallSid, update().SetMuted(true))
	check(t, err)
	shows(t, muted, values{"Muted": true, "Hold": false})
	held, err := sdk.Api.UpdateParticipant(room, "Ada", update().SetHold(true).SetMuted(false))
	check(t, err)
	shows(t, held, values{"Muted": false, "Hold": true, "DateUpdated": now(t)})
	check(t, sdk.Api.DeleteParticipant(room, *made.CallSid, nil))
	_, err = sdk.Api.FetchParticipant(room, *made.CallSid, nil)
	missing(t, err)
}

func TestParticipantsAreListedInPagesAndByWhatTheyAre(t *testing.T) {
	room, callSids := meeting(t, "review", 3, "do-not-record")
	list := func() *api.ListParticipantParams { return &api.ListParticipantParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Participant, error) {
		return sdk.Api.ListParticipant(room, list().SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "CallSid"), callSids...)
	_, err := sdk.Api.UpdateParticipant(room, "review-1", (&api.UpdateParticipantParams{}).SetMuted(true))
	check(t, err)
	found, err = sdk.Api.ListParticipant(room, list().SetMuted(true))
	check(t, err)
	newestFirst(t, texts(t, found, "CallSid"), callSids[1])
	found, err = sdk.Api.ListParticipant(room, list().SetMuted(false).SetHold(false))
	check(t, err)
	newestFirst(t, texts(t, found, "CallSid"), callSids[0], callSids[2])
}

func TestAConferenceIsRecordedPausedAndTheRecordingDeleted(t *testing.T) {
	room, _ := meeting(t, "retro", 2, "record-from-start")
	found, err := sdk.Api.ListConferenceRecording(room, nil)
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("%d recordings", len(found))
	}
	shows(t, found[0], values{
		"Sid": sid("RE"), "AccountSid": account, "ConferenceSid": room, "CallSid": nil, "Status": "in-progress",
		"Source": "Conference", "Duration": nil, "Price": nil,
	})
	if started := date(t, found[0].StartTime); started.After(now(t)) {
		t.Errorf("started at %v", started)
	}
	recordingSid := *found[0].Sid
	pause := (&api.UpdateConferenceRecordingParams{}).SetStatus("paused")
	paused, err := sdk.Api.UpdateConferenceRecording(room, recordingSid, pause)
	check(t, err)
	shows(t, paused, values{"Status": "paused"})
	end(t, room)
	pass(t, 60)
	made, err := sdk.Api.FetchConferenceRecording(room, recordingSid, nil)
	check(t, err)
	shows(t, made, values{"Status": "completed", "Duration": like(`\d+`), "Price": like(`-0\.\d{5}`)})
	check(t, sdk.Api.DeleteConferenceRecording(room, recordingSid, nil))
	_, err = sdk.Api.FetchConferenceRecording(room, recordingSid, nil)
	missing(t, err)
}
