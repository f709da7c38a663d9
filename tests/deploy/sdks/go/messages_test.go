package sdks

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func message(to string) *api.CreateMessageParams {
	return (&api.CreateMessageParams{}).SetTo(to).SetFrom(sender).SetBody("Hello")
}

func send(t *testing.T, params *api.CreateMessageParams) *api.ApiV2010Message {
	t.Helper()
	made, err := sdk.Api.CreateMessage(params)
	check(t, err)
	return made
}

func TestAMessageIsSentDeliveredRedactedAndDeleted(t *testing.T) {
	created := now(t)
	made := send(t, message("+15005560000"))
	shows(t, made, values{
		"Sid": sid("SM"), "AccountSid": account, "ApiVersion": "2010-04-01", "To": "+15005560000", "From": sender,
		"Body": "Hello", "Status": "queued", "Direction": "outbound-api", "NumMedia": "0", "NumSegments": "1",
		"DateCreated": created, "DateUpdated": created, "DateSent": nil, "ErrorCode": nil, "ErrorMessage": nil,
		"Price": nil, "PriceUnit": "USD",
	})
	pass(t, 60)
	delivered, err := sdk.Api.FetchMessage(*made.Sid, nil)
	check(t, err)
	shows(t, delivered, values{"Status": "delivered", "DateCreated": created, "Price": "-0.00790"})
	if sent := date(t, delivered.DateSent); sent.Before(created) || sent.After(now(t)) {
		t.Errorf("sent at %v", sent)
	}
	redacted, err := sdk.Api.UpdateMessage(*made.Sid, (&api.UpdateMessageParams{}).SetBody(""))
	check(t, err)
	shows(t, redacted, values{"Body": "", "Status": "delivered", "DateUpdated": now(t)})
	check(t, sdk.Api.DeleteMessage(*made.Sid, nil))
	_, err = sdk.Api.FetchMessage(*made.Sid, nil)
	missing(t, err)
}

func TestAMessageThatFailsTellsWhyAsANumberAndInWords(t *testing.T) {
	made := send(t, message("+15005563003"))
	pass(t, 60)
	found, err := sdk.Api.FetchMessage(*made.Sid, nil)
	check(t, err)
	shows(t, found, values{
		"Status": "undelivered", "ErrorCode": 30003, "ErrorMessage": "Unreachable destination handset",
	})
}

func TestAScheduledMessageIsCanceledOnce(t *testing.T) {
	params := (&api.CreateMessageParams{}).SetTo("+15005560000").SetBody("Hello").SetMessagingServiceSid(nobody("MG"))
	made := send(t, params.SetScheduleType("fixed").SetSendAt(now(t).Add(time.Hour)))
	shows(t, made, values{"Status": "scheduled", "MessagingServiceSid": nobody("MG"), "From": nil})
	cancel := (&api.UpdateMessageParams{}).SetStatus("canceled")
	canceled, err := sdk.Api.UpdateMessage(*made.Sid, cancel)
	check(t, err)
	shows(t, canceled, values{"Status": "canceled", "DateSent": nil})
	_, err = sdk.Api.UpdateMessage(*made.Sid, cancel)
	refused(t, err, 409, 30409)
}

func TestMessagesAreListedInPagesAndByDate(t *testing.T) {
	to, before := "+15559200001", now(t)
	made := []string{}
	for n := 0; n < 5; n++ {
		made = append(made, *send(t, message(to)).Sid)
	}
	pass(t, 60)
	list := func() *api.ListMessageParams { return (&api.ListMessageParams{}).SetTo(to) }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Message, error) {
		return sdk.Api.ListMessage(list().SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "Sid"), made...)
	yesterday := before.Add(-24 * time.Hour)
	for params, expected := range map[*api.ListMessageParams]int{
		list().SetDateSentAfter(yesterday):  5,
		list().SetDateSentBefore(yesterday): 0,
		list().SetLimit(3):                  3,
	} {
		found, err := sdk.Api.ListMessage(params)
		check(t, err)
		if len(found) != expected {
			t.Errorf("%d messages instead of %d", len(found), expected)
		}
	}
}

func TestFilesOfAMessageAreListedInPagesFetchedAndDeleted(t *testing.T) {
	created := now(t)
	made := send(t, message("+15559200002").SetMediaUrl([]string{picture, picture, picture}))
	shows(t, made, values{"Sid": sid("MM"), "NumMedia": "3"})
	files := inPages(t, 2, func(size int) ([]api.ApiV2010Media, error) {
		return sdk.Api.ListMedia(*made.Sid, (&api.ListMediaParams{}).SetPageSize(size))
	})
	file, err := sdk.Api.FetchMedia(*made.Sid, *files[0].Sid, nil)
	check(t, err)
	shows(t, file, values{
		"Sid": *files[0].Sid, "AccountSid": account, "ParentSid": *made.Sid, "ContentType": "image/png",
		"DateCreated": created,
	})
	where, err := http.NewRequest("GET", emulator+strings.TrimSuffix(*file.Uri, ".json"), nil)
	check(t, err)
	where.SetBasicAuth(account, token)
	answer, err := http.DefaultClient.Do(where)
	check(t, err)
	defer answer.Body.Close()
	length, err := io.Copy(io.Discard, answer.Body)
	check(t, err)
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || kind != "image/png" || length == 0 {
		t.Errorf("%d with %d bytes of %s", answer.StatusCode, length, kind)
	}
	check(t, sdk.Api.DeleteMedia(*made.Sid, *file.Sid, nil))
	_, err = sdk.Api.FetchMedia(*made.Sid, *file.Sid, nil)
	missing(t, err)
	left, err := sdk.Api.ListMedia(*made.Sid, nil)
	check(t, err)
	if len(left) != 2 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestWhoeverGotAMessageGivesFeedback(t *testing.T) {
	created := now(t)
	made := send(t, message("+15559200003"))
	params := (&api.CreateMessageFeedbackParams{}).SetOutcome("unconfirmed")
	feedback, err := sdk.Api.CreateMessageFeedback(*made.Sid, params)
	check(t, err)
	shows(t, feedback, values{
		"AccountSid": account, "MessageSid": *made.Sid, "Outcome": "unconfirmed", "DateCreated": created,
		"DateUpdated": created,
	})
}
