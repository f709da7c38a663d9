// Load sends distinct signed status callbacks over keep-alive connections, closed loop as fast as they are answered or
// open loop at an absolute rate, where latency counts from when a request was due: no coordinated omission.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const account = "AC11111111111111111111111111111111"

var order = []string{"AccountSid", "ApiVersion", "From", "MessageSid", "MessageStatus", "MessagingServiceSid",
	"RawDlrDoneDate", "SmsSid", "SmsStatus", "To"}

func request(host, path, base, token, salt string, number int) []byte {
	sid := fmt.Sprintf("SM%s%024x", salt, number)
	values := map[string]string{"AccountSid": account, "ApiVersion": "2010-04-01", "From": "+15550001111",
		"MessageSid": sid, "MessageStatus": "delivered", "MessagingServiceSid": "MG22222222222222222222222222222222",
		"RawDlrDoneDate": "2611241530", "SmsSid": sid, "SmsStatus": "delivered", "To": "+15552223333"}
	form, text := url.Values{}, strings.Builder{}
	text.WriteString(base + path)
	for _, name := range order {
		form.Set(name, values[name])
		text.WriteString(name + values[name])
	}
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(text.String()))
	body := form.Encode()
	return []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n"+
		"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Home-Region: us1\r\n"+
		"I-Twilio-Idempotency-Token: %08x-0000-4000-8000-%012x\r\nX-Twilio-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, host, number, number, base64.StdEncoding.EncodeToString(mac.Sum(nil)), len(body), body))
}

func main() {
	address := flag.String("address", "127.0.0.1:8080", "")
	path := flag.String("path", "/webhooks/messages/status", "")
	base := flag.String("base", "https://hooks.example.org", "public base URL, which is signed")
	token := flag.String("token", "", "")
	salt := flag.String("salt", "00000000", "8 hexadecimal digits of this run's SIDs")
	connections := flag.Int("connections", 256, "")
	seconds := flag.Float64("seconds", 5, "")
	rate := flag.Float64("rate", 0, "requests a second; 0: closed loop")
	flag.Parse()

	var number, good, other atomic.Int64
	var mutex sync.Mutex
	var all []float64
	var waiting sync.WaitGroup
	begin := time.Now()
	end := begin.Add(time.Duration(*seconds * float64(time.Second)))
	for c := 0; c < *connections; c++ {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			connection, err := net.Dial("tcp", *address)
			if err != nil {
				other.Add(1)
				return
			}
			defer connection.Close()
			reader := bufio.NewReader(connection)
			var took []float64
			for {
				n := number.Add(1)
				due := time.Now()
				if *rate > 0 {
					due = begin.Add(time.Duration(float64(n) / *rate * float64(time.Second)))
				}
				if due.After(end) {
					break
				}
				data := request(*address, *path, *base, *token, *salt, int(n))
				time.Sleep(time.Until(due))
				if *rate == 0 {
					due = time.Now()
				}
				connection.Write(data)
				answer, err := http.ReadResponse(reader, nil)
				if err != nil {
					other.Add(1)
					break
				}
				io.Copy(io.Discard, answer.Body)
				took = append(took, time.Since(due).Seconds()*1000)
				if answer.StatusCode < 300 {
					good.Add(1)
				} else {
					other.Add(1)
				}
			}
			mutex.Lock()
			all = append(all, took...)
			mutex.Unlock()
		}()
	}
	waiting.Wait()
	lasted := time.Since(begin).Seconds()
	sort.Float64s(all)
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return all[int(share*float64(len(all)-1))]
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"good": good.Load(), "other": other.Load(), "seconds": lasted,
		"p50": at(0.5), "p99": at(0.99)})
}
