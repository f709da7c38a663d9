package sdks

import (
	"fmt"
	"testing"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

func TestCountriesThatNumbersAreSoldInAreListedAndFetched(t *testing.T) {
	found, err := sdk.Api.ListAvailablePhoneNumberCountry(nil)
	check(t, err)
	newestFirst(t, texts(t, found, "CountryCode"), "DE")
	country, err := sdk.Api.FetchAvailablePhoneNumberCountry("GB", nil)
	check(t, err)
	shows(t, country, values{"CountryCode": "GB", "Country": "United Kingdom", "Beta": false})
	if _, is := (*country.SubresourceUris)["mobile"]; !is {
		t.Errorf("it sells %v", *country.SubresourceUris)
	}
}

func forSale[T any](t *testing.T, kind, country string, list func(size int) ([]T, error)) {
	t.Run(kind, func(t *testing.T) {
		seen := map[string]bool{}
		for _, each := range inPages(t, 9, list) {
			shows(t, each, values{
				"IsoCountry": country, "PhoneNumber": like(`\+\d{8,15}`), "FriendlyName": like(`.*\d.*`),
			})
			seen[field(t, each, "PhoneNumber").(string)] = true
			field(t, field(t, each, "Capabilities"), "Sms")
		}
		if len(seen) < 10 {
			t.Errorf("only %d different numbers", len(seen))
		}
	})
}

func TestNumbersForSaleAreListedInPages(t *testing.T) {
	forSale(t, "local", "US", func(size int) ([]api.ApiV2010AvailablePhoneNumberLocal, error) {
		params := &api.ListAvailablePhoneNumberLocalParams{}
		return sdk.Api.ListAvailablePhoneNumberLocal("US", params.SetPageSize(size))
	})
	forSale(t, "toll-free", "US", func(size int) ([]api.ApiV2010AvailablePhoneNumberTollFree, error) {
		params := &api.ListAvailablePhoneNumberTollFreeParams{}
		return sdk.Api.ListAvailablePhoneNumberTollFree("US", params.SetPageSize(size))
	})
	forSale(t, "mobile", "GB", func(size int) ([]api.ApiV2010AvailablePhoneNumberMobile, error) {
		params := &api.ListAvailablePhoneNumberMobileParams{}
		return sdk.Api.ListAvailablePhoneNumberMobile("GB", params.SetPageSize(size))
	})
	forSale(t, "national", "GB", func(size int) ([]api.ApiV2010AvailablePhoneNumberNational, error) {
		params := &api.ListAvailablePhoneNumberNationalParams{}
		return sdk.Api.ListAvailablePhoneNumberNational("GB", params.SetPageSize(size))
	})
	forSale(t, "VoIP", "FR", func(size int) ([]api.ApiV2010AvailablePhoneNumberVoip, error) {
		params := &api.ListAvailablePhoneNumberVoipParams{}
		return sdk.Api.ListAvailablePhoneNumberVoip("FR", params.SetPageSize(size))
	})
	forSale(t, "shared cost", "FR", func(size int) ([]api.ApiV2010AvailablePhoneNumberSharedCost, error) {
		params := &api.ListAvailablePhoneNumberSharedCostParams{}
		return sdk.Api.ListAvailablePhoneNumberSharedCost("FR", params.SetPageSize(size))
	})
	forSale(t, "machine to machine", "FR", func(size int) ([]api.ApiV2010AvailablePhoneNumberMachineToMachine, error) {
		params := &api.ListAvailablePhoneNumberMachineToMachineParams{}
		return sdk.Api.ListAvailablePhoneNumberMachineToMachine("FR", params.SetPageSize(size))
	})
}

func TestNumbersForSaleAreSearchedByPlaceAndAbility(t *testing.T) {
	params := (&api.ListAvailablePhoneNumberLocalParams{}).SetAreaCode(415).SetSmsEnabled(true)
	found, err := sdk.Api.ListAvailablePhoneNumberLocal("US", params)
	check(t, err)
	if len(found) < 2 {
		t.Errorf("%d numbers", len(found))
	}
	for _, each := range found {
		shows(t, each, values{
			"PhoneNumber": like(`\+1415555\d{4}`), "Locality": "San Francisco", "Region": "CA",
			"Latitude": float32(37.77), "Longitude": float32(-122.42),
		})
		shows(t, each.Capabilities, values{"Sms": true})
	}
}

func TestANumberIsBoughtConfiguredAndReleased(t *testing.T) {
	created := now(t)
	shop := (&api.CreateIncomingPhoneNumberParams{}).SetAreaCode("415").SetFriendlyName("Shop").SetVoiceUrl(picture)
	made, err := sdk.Api.CreateIncomingPhoneNumber(shop)
	check(t, err)
	shows(t, made, values{
		"Sid": sid("PN"), "AccountSid": account, "PhoneNumber": like(`\+1415555\d{4}`), "FriendlyName": "Shop",
		"VoiceUrl": picture, "VoiceMethod": "POST", "Status": "in-use", "Type": "local", "Origin": "twilio",
		"EmergencyStatus": "Inactive", "VoiceCallerIdLookup": false, "AddressRequirements": "none",
		"DateCreated": created, "DateUpdated": created,
	})
	pass(t, 60)
	desk := (&api.UpdateIncomingPhoneNumberParams{}).SetSmsUrl(picture + "?sms").SetSmsMethod("GET")
	changed, err := sdk.Api.UpdateIncomingPhoneNumber(*made.Sid, desk.SetFriendlyName("Desk"))
	check(t, err)
	shows(t, changed, values{
		"SmsUrl": picture + "?sms", "SmsMethod": "GET", "FriendlyName": "Desk", "VoiceUrl": picture,
		"DateCreated": created, "DateUpdated": now(t),
	})
	found, err := sdk.Api.FetchIncomingPhoneNumber(*made.Sid, nil)
	check(t, err)
	shows(t, found, values{"PhoneNumber": *made.PhoneNumber, "SmsUrl": picture + "?sms"})
	check(t, sdk.Api.DeleteIncomingPhoneNumber(*made.Sid, nil))
	_, err = sdk.Api.FetchIncomingPhoneNumber(*made.Sid, nil)
	missing(t, err)
}

// bought buys these numbers and finds them in the list of their kind, and in that of all.
func bought[T any](
	t *testing.T, name string, phoneNumbers []string, buy func(phoneNumber string) (*T, error),
	list func(size int) ([]T, error),
) {
	made := []string{}
	for _, phoneNumber := range phoneNumbers {
		number, err := buy(phoneNumber)
		check(t, err)
		shows(t, number, values{
			"Sid": sid("PN"), "PhoneNumber": phoneNumber, "FriendlyName": name, "SmsMethod": "POST",
			"DateCreated": now(t),
		})
		made = append(made, field(t, number, "Sid").(string))
	}
	newestFirst(t, texts(t, inPages(t, 2, list), "Sid"), made...)
	all := func() *api.ListIncomingPhoneNumberParams { return &api.ListIncomingPhoneNumberParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010IncomingPhoneNumber, error) {
		return sdk.Api.ListIncomingPhoneNumber(all().SetFriendlyName(name).SetPageSize(size))
	})
	newestFirst(t, texts(t, found, "Sid"), made...)
	found, err := sdk.Api.ListIncomingPhoneNumber(all().SetPhoneNumber(phoneNumbers[1][1:]))
	check(t, err)
	newestFirst(t, texts(t, found, "Sid"), made[1])
}

func TestLocalNumbersAreBoughtAndListedInPages(t *testing.T) {
	offers, err := sdk.Api.ListAvailablePhoneNumberLocal(
		"US", (&api.ListAvailablePhoneNumberLocalParams{}).SetLimit(3),
	)
	check(t, err)
	buy := func(phoneNumber string) (*api.ApiV2010IncomingPhoneNumberLocal, error) {
		params := (&api.CreateIncomingPhoneNumberLocalParams{}).SetPhoneNumber(phoneNumber)
		return sdk.Api.CreateIncomingPhoneNumberLocal(params.SetFriendlyName("Team local"))
	}
	list := func(size int) ([]api.ApiV2010IncomingPhoneNumberLocal, error) {
		params := (&api.ListIncomingPhoneNumberLocalParams{}).SetFriendlyName("Team local")
		return sdk.Api.ListIncomingPhoneNumberLocal(params.SetPageSize(size))
	}
	bought(t, "Team local", texts(t, offers, "PhoneNumber"), buy, list)
}

func TestMobileNumbersAreBoughtAndListedInPages(t *testing.T) {
	offers, err := sdk.Api.ListAvailablePhoneNumberMobile(
		"GB", (&api.ListAvailablePhoneNumberMobileParams{}).SetLimit(3),
	)
	check(t, err)
	buy := func(phoneNumber string) (*api.ApiV2010IncomingPhoneNumberMobile, error) {
		params := (&api.CreateIncomingPhoneNumberMobileParams{}).SetPhoneNumber(phoneNumber)
		return sdk.Api.CreateIncomingPhoneNumberMobile(params.SetFriendlyName("Team mobile"))
	}
	list := func(size int) ([]api.ApiV2010IncomingPhoneNumberMobile, error) {
		params := (&api.ListIncomingPhoneNumberMobileParams{}).SetFriendlyName("Team mobile")
		return sdk.Api.ListIncomingPhoneNumberMobile(params.SetPageSize(size))
	}
	bought(t, "Team mobile", texts(t, offers, "PhoneNumber"), buy, list)
}

func TestTollFreeNumbersAreBoughtAndListedInPages(t *testing.T) {
	offers, err := sdk.Api.ListAvailablePhoneNumberTollFree(
		"US", (&api.ListAvailablePhoneNumberTollFreeParams{}).SetLimit(3),
	)
	check(t, err)
	buy := func(phoneNumber string) (*api.ApiV2010IncomingPhoneNumberTollFree, error) {
		params := (&api.CreateIncomingPhoneNumberTollFreeParams{}).SetPhoneNumber(phoneNumber)
		return sdk.Api.CreateIncomingPhoneNumberTollFree(params.SetFriendlyName("Team free"))
	}
	list := func(size int) ([]api.ApiV2010IncomingPhoneNumberTollFree, error) {
		params := (&api.ListIncomingPhoneNumberTollFreeParams{}).SetFriendlyName("Team free")
		return sdk.Api.ListIncomingPhoneNumberTollFree(params.SetPageSize(size))
	}
	bought(t, "Team free", texts(t, offers, "PhoneNumber"), buy, list)
}

func TestOtherPeoplesNumbersAreVerifiedListedInPagesRenamedAndGivenUp(t *testing.T) {
	begun := now(t)
	for n := 1; n <= 3; n++ {
		phoneNumber := fmt.Sprintf("+1555920004%d", n)
		params := (&api.CreateValidationRequestParams{}).SetPhoneNumber(phoneNumber).SetFriendlyName("Cell")
		asked, err := sdk.Api.CreateValidationRequest(params)
		check(t, err)
		shows(t, asked, values{
			"AccountSid": account, "PhoneNumber": phoneNumber, "FriendlyName": "Cell", "CallSid": sid("CA"),
			"ValidationCode": like(`\d{6}`),
		})
	}
	pass(t, 120)
	list := func() *api.ListOutgoingCallerIdParams { return &api.ListOutgoingCallerIdParams{} }
	found := inPages(t, 2, func(size int) ([]api.ApiV2010OutgoingCallerId, error) {
		return sdk.Api.ListOutgoingCallerId(list().SetFriendlyName("Cell").SetPageSize(size))
	})
	if len(found) != 3 {
		t.Errorf("%d caller IDs", len(found))
	}
	found, err := sdk.Api.ListOutgoingCallerId(list().SetPhoneNumber("+15559200041"))
	check(t, err)
	callerId, err := sdk.Api.FetchOutgoingCallerId(*found[0].Sid, nil)
	check(t, err)
	shows(t, callerId, values{
		"Sid": sid("PN"), "AccountSid": account, "PhoneNumber": "+15559200041", "FriendlyName": "Cell",
	})
	created := date(t, callerId.DateCreated)
	if !created.After(begun) {
		t.Errorf("created at %v", created)
	}
	rename := (&api.UpdateOutgoingCallerIdParams{}).SetFriendlyName("Work")
	renamed, err := sdk.Api.UpdateOutgoingCallerId(*callerId.Sid, rename)
	check(t, err)
	shows(t, renamed, values{"FriendlyName": "Work", "DateCreated": created, "DateUpdated": now(t)})
	check(t, sdk.Api.DeleteOutgoingCallerId(*callerId.Sid, nil))
	_, err = sdk.Api.FetchOutgoingCallerId(*callerId.Sid, nil)
	missing(t, err)
}
