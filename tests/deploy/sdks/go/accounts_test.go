package sdks

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func subaccount(t *testing.T, name string) *api.ApiV2010Account {
	t.Helper()
	made, err := sdk.Api.CreateAccount((&api.CreateAccountParams{}).SetFriendlyName(name))
	check(t, err)
	return made
}

func TestOurAccountIsFetched(t *testing.T) {
	found, err := sdk.Api.FetchAccount(account)
	check(t, err)
	shows(t, found, values{
		"Sid": account, "OwnerAccountSid": account, "Status": "active", "Type": "Full",
		"DateCreated": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	})
}

func TestASubaccountIsMadeRenamedSuspendedAndClosedForGood(t *testing.T) {
	created := now(t)
	made := subaccount(t, "Branch")
	shows(t, made, values{
		"Sid": sid("AC"), "FriendlyName": "Branch", "OwnerAccountSid": account, "Status": "active",
		"AuthToken": like("[0-9a-f]{32}"), "DateCreated": created, "DateUpdated": created,
	})
	own := connect(*made.Sid, *made.AuthToken, *made.Sid)
	found, err := own.Api.FetchAccount(*made.Sid)
	check(t, err)
	shows(t, found, values{"Sid": *made.Sid, "FriendlyName": "Branch"})
	_, err = own.Api.FetchAccount(account)
	refused(t, err, 401, 20003)
	pass(t, 5)
	update := func() *api.UpdateAccountParams { return &api.UpdateAccountParams{} }
	changed, err := sdk.Api.UpdateAccount(*made.Sid, update().SetFriendlyName("Shop").SetStatus("suspended"))
	check(t, err)
	shows(t, changed, values{"FriendlyName": "Shop", "Status": "suspended", "DateUpdated": now(t)})
	_, err = own.Api.FetchAccount(*made.Sid)
	refused(t, err, 401, 20003)
	closed, err := sdk.Api.UpdateAccount(*made.Sid, update().SetStatus("closed"))
	check(t, err)
	shows(t, closed, values{"Status": "closed"})
	_, err = sdk.Api.UpdateAccount(*made.Sid, update().SetStatus("active"))
	refused(t, err, 400, 20001)
}

func TestAccountsAreListedInPagesByNameAndByStatus(t *testing.T) {
	made := []string{}
	for n := 0; n < 3; n++ {
		made = append(made, *subaccount(t, "Chain").Sid)
	}
	list := func() *api.ListAccountParams { return (&api.ListAccountParams{}).SetFriendlyName("Chain") }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010Account, error) {
		return sdk.Api.ListAccount(list().SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "Sid"), made...)
	_, err := sdk.Api.UpdateAccount(made[0], (&api.UpdateAccountParams{}).SetStatus("closed"))
	check(t, err)
	found, err = sdk.Api.ListAccount(list().SetStatus("closed"))
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), made[0])
}

func balance(t *testing.T) float64 {
	t.Helper()
	found, err := sdk.Api.FetchBalance(nil)
	check(t, err)
	shows(t, found, values{"AccountSid": account, "Currency": "USD"})
	left, err := strconv.ParseFloat(*found.Balance, 64)
	check(t, err)
	return left
}

func TestAMessageCostsSomething(t *testing.T) {
	before := balance(t)
	send(t, message("+15005560000").SetBody(strings.Repeat("x", 1000)))
	pass(t, 60)
	if left := balance(t); left >= before {
		t.Errorf("%v before and %v after", before, left)
	}
}

func TestAnAPIKeyMayAskInsteadOfTheAccount(t *testing.T) {
	key := strings.SplitN(os.Getenv("EMULATOR_API_KEYS"), ":", 2)
	found, err := connect(key[0], key[1], account).Api.FetchBalance(nil)
	check(t, err)
	shows(t, found, values{"AccountSid": account})
	_, err = connect(key[0], "another", account).Api.FetchBalance(nil)
	refused(t, err, 401, 20003)
}
