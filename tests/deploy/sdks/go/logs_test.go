package sdks

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func mumbled(t *testing.T, to string) string {
	t.Helper()
	twiml := strings.Replace(talk, "<Response>", "<Response>"+strings.Repeat("<Mumble/>", 3), 1)
	return talking(t, call(to).SetTwiml(twiml))
}

func TestEventsOfACallAreListedInPages(t *testing.T) {
	callSid := mumbled(t, "+15559200071")
	for _, params := range []*api.UpdateCallParams{
		(&api.UpdateCallParams{}).SetTwiml(talk), (&api.UpdateCallParams{}).SetStatus("completed"),
	} {
		_, err := sdk.Api.UpdateCall(callSid, params)
		check(t, err)
	}
	codes := []int{}
	for _, each := range inPages(t, 2, func(size int) ([]api.ApiV2010CallEvent, error) {
		return sdk.Api.ListCallEvent(callSid, (&api.ListCallEventParams{}).SetPageSize(size))
	}) {
		var event struct {
			Request  struct{ Method string }
			Response struct {
				Code    int    `json:"response_code"`
				Created string `json:"date_created"`
			}
		}
		read, err := json.Marshal(each)
		check(t, err)
		check(t, json.Unmarshal(read, &event))
		shows(t, event.Request, values{"Method": "POST"})
		date(t, &event.Response.Created)
		codes = append(codes, event.Response.Code)
	}
	if !reflect.DeepEqual(codes, []int{200, 200, 201}) {
		t.Errorf("answered %v", codes)
	}
}

func TestNotificationsOfACallAreListedInPagesAndFetched(t *testing.T) {
	callSid := mumbled(t, "+15559200072")
	list := func() *api.ListCallNotificationParams { return &api.ListCallNotificationParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010CallNotification, error) {
		return sdk.Api.ListCallNotification(callSid, list().SetLog(1).SetPageSize(size))
	})
	wrong, err := sdk.Api.FetchCallNotification(callSid, *found[0].Sid, nil)
	check(t, err)
	shows(t, wrong, values{
		"Sid": sid("NO"), "AccountSid": account, "CallSid": callSid, "ApiVersion": "2010-04-01",
		"ErrorCode": "12200", "Log": "1", "MoreInfo": like(".*12200"), "MessageText": like(".*LogLevel=WARNING.*"),
		"DateCreated": date(t, found[0].DateCreated), "MessageDate": date(t, found[0].MessageDate),
	})
	errors, err := sdk.Api.ListCallNotification(callSid, list().SetLog(0))
	check(t, err)
	if len(errors) != 0 {
		t.Errorf("%d errors", len(errors))
	}
}

func TestNotificationsAreListedInPagesAndByDayAndFetched(t *testing.T) {
	callSid := mumbled(t, "+15559200073")
	list := func() *api.ListNotificationParams { return &api.ListNotificationParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Notification, error) {
		return sdk.Api.ListNotification(list().SetPageSize(size))
	})
	ours, err := sdk.Api.ListCallNotification(callSid, nil)
	check(t, err)
	if len(ours) != 3 {
		t.Fatalf("%d notifications", len(ours))
	}
	newestFirst(t, texts(t, found, "Sid"), *ours[2].Sid, *ours[1].Sid, *ours[0].Sid)
	one, err := sdk.Api.FetchNotification(*ours[0].Sid, nil)
	check(t, err)
	shows(t, one, values{"Sid": *ours[0].Sid, "CallSid": callSid})
	found, err = sdk.Api.ListNotification(list().SetMessageDateBefore("2025-12-30"))
	check(t, err)
	if len(found) != 0 {
		t.Errorf("%d notifications from before the account's time", len(found))
	}
	_, err = sdk.Api.FetchNotification(nobody("NO"), nil)
	missing(t, err)
}
