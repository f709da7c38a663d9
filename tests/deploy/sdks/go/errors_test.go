package sdks

import (
	"strings"
	"testing"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

type refusal struct {
	status, code int
	ask          func() error
}

func writing(params *api.CreateMessageParams) func() error {
	return func() error { _, err := sdk.Api.CreateMessage(params); return err }
}

func calling(params *api.CreateCallParams) func() error {
	return func() error { _, err := sdk.Api.CreateCall(params); return err }
}

func buying(params *api.CreateIncomingPhoneNumberParams) func() error {
	return func() error { _, err := sdk.Api.CreateIncomingPhoneNumber(params); return err }
}

func TestWhatIsRefusedIsAnErrorWithTheProvidersCode(t *testing.T) {
	to := "+15559200050"
	number := func() *api.CreateIncomingPhoneNumberParams { return &api.CreateIncomingPhoneNumberParams{} }
	for what, refusal := range map[string]refusal{
		"a message to what is no number":                  {400, 21211, writing(message("Ada"))},
		"a message to the provider's number that is none": {400, 21211, writing(message("+15005550001"))},
		"a message to who cannot be reached":              {400, 21612, writing(message("+15005550002"))},
		"a message to a region without permission":        {400, 21408, writing(message("+15005550003"))},
		"a message to who wants none":                     {400, 21610, writing(message("+15005550004"))},
		"a message to a landline":                         {400, 21614, writing(message("+15005550009"))},
		"a message from nobody":                           {400, 21603, writing(message(to).SetFrom(""))},
		"a message from who cannot write": {
			400, 21606, writing(message(to).SetFrom("+15005550007")),
		},
		"a message of nothing": {400, 21602, writing(message(to).SetBody(""))},
		"a message that is too long": {
			400, 21617, writing(message(to).SetBody(strings.Repeat("a", 1601))),
		},
		"a call to what is no number":                  {400, 21211, calling(call("Ada"))},
		"a call to the provider's number that is none": {400, 21217, calling(call("+15005550001"))},
		"a call from what may not call":                {400, 21212, calling(call(to).SetFrom("+15005550001"))},
		"a call that is told nothing":                  {400, 21205, calling(call(to).SetTwiml(""))},
		"a number that is not for sale": {
			400, 21422, buying(number().SetPhoneNumber("+15005550000")),
		},
		"a number that is none": {
			400, 21421, buying(number().SetPhoneNumber("+15005550001")),
		},
		"an area without numbers": {400, 21452, buying(number().SetAreaCode("533"))},
		"a fallback of nothing": {
			400, 21405, buying(number().SetAreaCode("212").SetVoiceFallbackUrl(picture)),
		},
		"a recording of a call that nobody has answered": {400, 21220, func() error {
			_, err := sdk.Api.CreateCallRecording(*dial(t, call(to)).Sid, nil)
			return err
		}},
		"feedback of another kind": {400, 20001, func() error {
			params := (&api.CreateMessageFeedbackParams{}).SetOutcome("great")
			_, err := sdk.Api.CreateMessageFeedback(*send(t, message(to)).Sid, params)
			return err
		}},
		"a caller ID that is none": {400, 21401, func() error {
			_, err := sdk.Api.CreateValidationRequest((&api.CreateValidationRequestParams{}).SetPhoneNumber("12"))
			return err
		}},
		"our own account's end": {400, 20001, func() error {
			_, err := sdk.Api.UpdateAccount(account, (&api.UpdateAccountParams{}).SetStatus("closed"))
			return err
		}},
		"another token": {401, 20003, func() error {
			_, err := connect(account, "another", account).Api.ListMessage(nil)
			return err
		}},
		"another account": {401, 20003, func() error {
			_, err := connect(nobody("AC"), "another", nobody("AC")).Api.ListMessage(nil)
			return err
		}},
	} {
		t.Run(what, func(t *testing.T) { refused(t, refusal.ask(), refusal.status, refusal.code) })
	}
}

func TestWhatIsNotThereIsAnErrorToo(t *testing.T) {
	for what, ask := range map[string]func() error{
		"message":            func() error { _, err := sdk.Api.FetchMessage(nobody("SM"), nil); return err },
		"files of a message": func() error { _, err := sdk.Api.ListMedia(nobody("SM"), nil); return err },
		"file of a message":  func() error { _, err := sdk.Api.FetchMedia(nobody("SM"), nobody("ME"), nil); return err },
		"call": func() error {
			_, err := sdk.Api.UpdateCall(nobody("CA"), (&api.UpdateCallParams{}).SetStatus("completed"))
			return err
		},
		"recording of a call": func() error {
			_, err := sdk.Api.FetchCallRecording(nobody("CA"), nobody("RE"), nil)
			return err
		},
		"conference": func() error {
			_, err := sdk.Api.UpdateConference(nobody("CF"), (&api.UpdateConferenceParams{}).SetStatus("completed"))
			return err
		},
		"participant": func() error {
			params := (&api.UpdateParticipantParams{}).SetMuted(true)
			_, err := sdk.Api.UpdateParticipant(nobody("CF"), nobody("CA"), params)
			return err
		},
		"recording":     func() error { return sdk.Api.DeleteRecording(nobody("RE"), nil) },
		"transcription": func() error { return sdk.Api.DeleteTranscription(nobody("TR"), nil) },
		"number":        func() error { return sdk.Api.DeleteIncomingPhoneNumber(nobody("PN"), nil) },
		"country":       func() error { _, err := sdk.Api.FetchAvailablePhoneNumberCountry("AQ", nil); return err },
		"kind of number": func() error {
			_, err := sdk.Api.ListAvailablePhoneNumberMobile("US", nil)
			return err
		},
		"caller ID": func() error { return sdk.Api.DeleteOutgoingCallerId(nobody("PN"), nil) },
		"account":   func() error { _, err := sdk.Api.FetchAccount(nobody("AC")); return err },
	} {
		t.Run(what, func(t *testing.T) { missing(t, ask()) })
	}
}
