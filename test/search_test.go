package test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// read asks the API for something that is there.
func (s *stack) read(path string) response {
	s.Helper()
	res, err := s.request("GET", path, "", nil)
	if err != nil || res.status != 200 {
		s.Fatalf("%s: %d %v %s", path, res.status, err, res.body)
	}
	return res
}

func (s *stack) decode(path string, answer any) {
	s.Helper()
	if err := json.Unmarshal(s.read(path).body, answer); err != nil {
		s.Fatal(err)
	}
}

func TestAMailIsFoundAndShownAsItWasSent(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		other := s.post(mail("bob@example.com"))
		e, _ := richMail(s.TB, "Ann+shop@example.com", 100_000)
		id := s.post(e.with("tags", []map[string]string{{"name": "kind", "value": "invoice"}}).with("bcc", []string{"archive@example.com"}))
		s.await(id, message.StatusSent)
		s.await(other, message.StatusSent)
		for _, query := range []string{
			"recipient=ann%2Bshop@example.com", "recipient=archive@example.com", "tag=kind:invoice", "subject=" + url.QueryEscape("RECHNUNG ÜBER"),
			"status=sent&tag=kind&created_after=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339),
		} {
			var list wire.List
			if s.decode("/v1/emails?"+query, &list); len(list.Data) != 1 || list.Data[0].ID != id || list.HasMore {
				s.Errorf("%s finds %+v", query, list)
			}
		}
		content := s.read("/v1/emails/" + id + "/content")
		received := 0
		for _, m := range s.relay.Mails() {
			if m.Rcpts[0] != "bob@example.com" && bytes.Equal(m.Data, content.body) {
				received++
			}
		}
		if received != 2 || content.header.Get("Content-Type") != "message/rfc822" {
			s.Errorf("%d of 2 recipients received the content, of %d bytes", received, len(content.body))
		}
		table, err := csv.NewReader(bytes.NewReader(s.read("/v1/emails.csv?tag=kind:invoice").body)).ReadAll()
		if err != nil || len(table) != 3 || table[1][0] != id || table[2][0] != id {
			s.Errorf("the export is %v, %v", table, err)
		}
		var events wire.Events
		s.decode("/v1/emails/"+id+"/events", &events)
		if kinds := eventTypes(events, ""); !slices.Equal(kinds, []string{"queued", "sent", "sent"}) {
			s.Errorf("events %v", kinds)
		}
	})
}

// eventTypes are those of one recipient, or all of them, in their order.
func eventTypes(events wire.Events, recipient string) (kinds []string) {
	for _, e := range events.Data {
		if recipient == "" || e.Recipient == recipient {
			kinds = append(kinds, e.Type)
		}
	}
	return kinds
}

// TestSimulatedRecipientsActTheirPartWithoutARelayHost gives the workers one that
// is not there. A real mail at the end finds that out.
func TestSimulatedRecipientsActTheirPartWithoutARelayHost(t *testing.T) {
	nobody := "smtp://" + freeAddress(t) + "?tls=none"
	inBothModes(t, setting{smtp: nobody}, func(s *stack) {
		at := func(part string) string { return part + "+story@" + message.SimulatorDomain }
		canceled := s.post(mail(at("slow")))
		s.eventually("a worker has the slow one", func() bool { return s.get(canceled).Status == message.StatusSending })
		if res, err := s.request("POST", "/v1/emails/"+canceled+"/cancel", "", nil); err != nil || res.status != 200 {
			s.Fatalf("cancel: %d %v %s", res.status, err, res.body)
		}
		id := s.post(mail(at("delivered"), at("bounced"), at("delayed")))
		var e wire.Email
		s.eventually("all have an end", func() bool {
			e = s.get(id)
			return e.Counts[message.StatusSent] == 2 && e.Counts[message.StatusFailed] == 1
		})
		if r := recipient(s, e, at("bounced")); r.Reason != message.ReasonRejected {
			s.Errorf("%+v", r)
		}
		var events wire.Events
		s.decode("/v1/emails/"+id+"/events", &events)
		for part, want := range map[string][]string{"delivered": {"sent"}, "bounced": {"failed"}, "delayed": {"delivery_delayed", "sent"}} {
			if kinds := eventTypes(events, at(part)); !slices.Equal(kinds, want) {
				s.Errorf("%s: %v, want %v", part, kinds, want)
			}
		}
		slow := s.post(mail(at("slow"))) // longer than the lease of these stories: it is renewed meanwhile
		if got := s.await(slow, message.StatusSent); len(got.Attempts) != 1 || got.Attempts[0].DurationMS < 7_000 {
			s.Errorf("slow: %+v", got.Attempts)
		}
		if got := s.get(canceled); got.Status != message.StatusCanceled {
			s.Errorf("the canceled one is %s", got.Status)
		}
		real := s.post(mail("ann@example.com"))
		s.await(real, message.StatusDelayed)
	})
}

func TestADryRunLeavesNothing(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		e, _ := richMail(s.TB, "ann@example.com", 1000)
		body, err := json.Marshal(e)
		if err != nil {
			s.Fatal(err)
		}
		for range 2 {
			res, err := s.request("POST", "/v1/emails?dry_run=true", "dry", body)
			var run wire.DryRun
			if err != nil || res.status != 200 || json.Unmarshal(res.body, &run) != nil || len(run.Recipients) != 1 || !run.ContentComplete {
				s.Fatalf("%d %v %s", res.status, err, res.body)
			}
		}
		var list wire.List
		if s.decode("/v1/emails", &list); len(list.Data) != 0 {
			s.Errorf("there is %+v", list)
		}
		status, id, answer := s.tryPost(mail("bob@example.com"), "dry") // the key is free
		if status != 202 {
			s.Fatalf("%d %s", status, answer)
		}
		s.await(id, message.StatusSent)
		if mails := s.relay.Mails(); len(mails) != 1 || mails[0].Rcpts[0] != "bob@example.com" {
			s.Error(fmt.Sprint("the relay host has ", mails))
		}
	})
}
