// Package sdks has the official Go SDK in front of an emulator in virtual time.
package sdks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
)

const (
	sender  = "+15005550006"
	talk    = "<Response><Pause length='3000'/></Response>"
	picture = "https://files.example.com/picture.png"
)

var (
	emulator = os.Getenv("EMULATOR_URL")
	account  = os.Getenv("TWILIO_ACCOUNT_SID")
	token    = os.Getenv("TWILIO_AUTH_TOKEN")
	wire     = &rewriting{}
	sdk      = connect(account, token, account)
)

func TestMain(m *testing.M) {
	if emulator == "" || account == "" || token == "" {
		fmt.Fprintln(os.Stderr, "set EMULATOR_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// rewriting sends to the emulator what is for the provider, and counts it.
type rewriting struct{ sent int64 }

func (w *rewriting) RoundTrip(request *http.Request) (*http.Response, error) {
	to, err := url.Parse(emulator)
	if err != nil {
		return nil, err
	}
	atomic.AddInt64(&w.sent, 1)
	moved := request.Clone(request.Context())
	moved.URL.Scheme, moved.URL.Host = to.Scheme, to.Host
	return http.DefaultTransport.RoundTrip(moved)
}

func connect(name, secret, accountSid string) *twilio.RestClient {
	base := &client.Client{Credentials: client.NewCredentials(name, secret), HTTPClient: &http.Client{Transport: wire}}
	base.SetAccountSid(accountSid)
	return twilio.NewRestClientWithParams(twilio.ClientParams{Client: base})
}

func control(t *testing.T, method, path string, said interface{}) []byte {
	t.Helper()
	body, err := json.Marshal(said)
	check(t, err)
	request, err := http.NewRequest(method, emulator+"/emulator/"+path, bytes.NewReader(body))
	check(t, err)
	request.SetBasicAuth(account, token)
	answer, err := http.DefaultClient.Do(request)
	check(t, err)
	defer answer.Body.Close()
	told, err := io.ReadAll(answer.Body)
	check(t, err)
	if answer.StatusCode >= 300 {
		t.Fatalf("%s: %s", path, told)
	}
	return told
}

// pass lets so much virtual time pass; every callback that is due in it has been answered then.
func pass(t *testing.T, seconds int) {
	t.Helper()
	control(t, "POST", "time", map[string]int{"seconds": seconds})
}

// now is virtual time in whole seconds, as resources tell it.
func now(t *testing.T) time.Time {
	t.Helper()
	var told struct{ Now time.Time }
	check(t, json.Unmarshal(control(t, "GET", "time", nil), &told))
	return told.Now.Truncate(time.Second)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// values are those of an object's fields: nil for one that is not there, a time for a date as the SDK gives it
// (RFC 2822), a pattern for a text.
type values map[string]interface{}

func shows(t *testing.T, found interface{}, expected values) {
	t.Helper()
	for name, value := range expected {
		if seen := field(t, found, name); !equal(seen, value) {
			t.Errorf("%s of %T is %v instead of %v", name, found, seen, value)
		}
	}
}

func field(t *testing.T, found interface{}, name string) interface{} {
	t.Helper()
	value := reflect.Indirect(reflect.ValueOf(found)).FieldByName(name)
	if !value.IsValid() {
		t.Fatalf("%T has no %s", found, name)
	}
	if value.Kind() != reflect.Ptr {
		return value.Interface()
	}
	if value.IsNil() {
		return nil
	}
	return value.Elem().Interface()
}

func equal(seen, expected interface{}) bool {
	text, isText := seen.(string)
	switch wanted := expected.(type) {
	case *regexp.Regexp:
		return isText && wanted.MatchString(text)
	case time.Time:
		date, err := time.Parse(time.RFC1123Z, text)
		return err == nil && date.Equal(wanted)
	default:
		return reflect.DeepEqual(seen, expected)
	}
}

func like(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

func sid(prefix string) *regexp.Regexp { return like(prefix + "[0-9a-f]{32}") }

// nobody has this SID.
func nobody(prefix string) string { return prefix + "00000000000000000000000000000000" }

// date reads a date as the SDK gives it.
func date(t *testing.T, found *string) time.Time {
	t.Helper()
	if found == nil {
		t.Fatal("there is no date")
	}
	read, err := time.Parse(time.RFC1123Z, *found)
	check(t, err)
	return read
}

// inPages is what a list shows when it is read in small pages: a request for each, of which there must be several.
func inPages[T any](t *testing.T, size int, list func(size int) ([]T, error)) []T {
	t.Helper()
	before := atomic.LoadInt64(&wire.sent)
	found, err := list(size)
	check(t, err)
	pages := (len(found) + size - 1) / size
	if sent := int(atomic.LoadInt64(&wire.sent) - before); sent != pages || pages < 2 {
		t.Fatalf("%d resources in pages of %d took %d requests", len(found), size, sent)
	}
	return found
}

// texts are the values of one field of many objects.
func texts[T any](t *testing.T, found []T, name string) []string {
	t.Helper()
	read := []string{}
	for _, each := range found {
		text, _ := field(t, each, name).(string)
		read = append(read, text)
	}
	return read
}

// newestFirst are these, the last one made first, among what a list of more than them shows.
func newestFirst(t *testing.T, shown []string, made ...string) {
	t.Helper()
	ours, wanted, seen := map[string]bool{}, []string{}, []string{}
	for at := range made {
		ours[made[at]] = true
		wanted = append(wanted, made[len(made)-1-at])
	}
	for _, each := range shown {
		if ours[each] {
			seen = append(seen, each)
		}
	}
	if !reflect.DeepEqual(seen, wanted) {
		t.Errorf("shown are %v instead of %v", seen, wanted)
	}
}

// refused is what the SDK makes of a refusal.
func refused(t *testing.T, err error, status, code int) {
	t.Helper()
	var refusal *client.TwilioRestError
	if !errors.As(err, &refusal) {
		t.Fatalf("not refused: %v", err)
	}
	if refusal.Status != status || refusal.Code != code {
		t.Errorf("refused with %v instead of %d and %d", refusal, status, code)
	}
	if more := fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code); refusal.MoreInfo != more {
		t.Errorf("more is said at %s instead of %s", refusal.MoreInfo, more)
	}
}

func missing(t *testing.T, err error) {
	t.Helper()
	refused(t, err, 404, 20404)
}
