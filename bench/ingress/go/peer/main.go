// Peer is what a good engineer writes in Go: net/http, the SDK's validator, franz-go, acks of all replicas.
package main

import (
	"flag"
	"net/http"
	"time"

	"github.com/twilio/twilio-go/client"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "")
	kafka := flag.String("kafka", "127.0.0.1:9092", "")
	topic := flag.String("topic", "", "")
	base := flag.String("base", "https://hooks.example.org", "")
	token := flag.String("token", "", "")
	flag.Parse()
	producer, err := kgo.NewClient(kgo.SeedBrokers(*kafka), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(2*time.Millisecond), kgo.DefaultProduceTopic(*topic))
	if err != nil {
		panic(err)
	}
	validator := client.NewRequestValidator(*token)
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		if err := request.ParseForm(); err != nil {
			http.Error(writer, "unreadable", 400)
			return
		}
		parameters := make(map[string]string, len(request.PostForm))
		for name, values := range request.PostForm {
			parameters[name] = values[0]
		}
		if !validator.Validate(*base+request.URL.RequestURI(), parameters, request.Header.Get("X-Twilio-Signature")) {
			http.Error(writer, "forged", 403)
			return
		}
		value := []byte(request.PostForm.Encode())
		done := make(chan error, 1)
		record := &kgo.Record{Key: []byte(parameters["MessageSid"]), Value: value}
		producer.Produce(request.Context(), record, func(_ *kgo.Record, err error) { done <- err })
		if err := <-done; err != nil {
			http.Error(writer, "unavailable", 503)
			return
		}
		writer.WriteHeader(204)
	})
	panic(http.ListenAndServe(*address, nil))
}
