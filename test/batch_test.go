package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// postBatch sends emails in with one request and returns what was answered.
func (s *stack) postBatch(emails []email, key string) (status int, receipt wire.BatchReceipt) {
	s.Helper()
	body, err := json.Marshal(emails)
	if err != nil {
		s.Fatal(err)
	}
	res, err := s.request(http.MethodPost, "/v1/emails/batch", key, body)
	if err != nil {
		return 0, receipt
	}
	_ = json.Unmarshal(res.body, &receipt)
	return res.status, receipt
}

// stored counts the emails that the API lists.
func (s *stack) stored() int {
	s.Helper()
	n, after := 0, ""
	for {
		res, err := s.request(http.MethodGet, "/v1/emails?limit=100"+after, "", nil)
		if err != nil {
			s.Fatal(err)
		}
		var page wire.List
		if err := json.Unmarshal(res.body, &page); err != nil {
			s.Fatal(err)
		}
		if n += len(page.Data); !page.HasMore {
			return n
		}
		after = "&after=" + page.Data[len(page.Data)-1].ID
	}
}

// The producer is killed at some moment of a batch, from before it reads it to
// after it answers; the batch is posted again with its key until it is answered.
func TestABatchIsTakenWholeOrNotAtAll(t *testing.T) {
	const size = 200
	inBothModes(t, setting{consumers: 1}, func(s *stack) {
		later := time.Now().Add(time.Hour).Format(time.RFC3339) // nothing is sent: a kill would make second copies
		for round, wait := range []time.Duration{0, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
			emails := make([]email, size)
			for i := range emails {
				emails[i] = mail(fmt.Sprintf("%d@example.com", i)).with("scheduled_at", later)
			}
			key := fmt.Sprintf("round-%d", round)
			asked := make(chan []wire.BatchID, 1)
			go func() {
				_, receipt := s.postBatch(emails, key)
				asked <- receipt.Data
			}()
			<-time.After(wait) // the moment is to differ; any is good
			s.restart(s.producer)
			first := <-asked
			if n := s.stored(); n%size != 0 {
				s.Fatalf("round %d: %d emails are stored, a part of a batch", round, n)
			}
			status, again := s.postBatch(emails, key)
			if status != http.StatusAccepted || len(again.Data) != size {
				s.Fatalf("round %d: %d, %d ids", round, status, len(again.Data))
			}
			if len(first) > 0 && first[0] != again.Data[0] {
				s.Errorf("round %d: answered %v, and then %v", round, first[0], again.Data[0])
			}
			if n := s.stored(); n != (round+1)*size {
				s.Fatalf("round %d: %d emails are stored, want %d", round, n, (round+1)*size)
			}
		}
	})
}

func TestABatchReachesTheRelayHost(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		emails := make([]email, 100)
		for i := range emails {
			emails[i] = mail(fmt.Sprintf("%d@example.com", i))
		}
		_, receipt := s.postBatch(emails, "")
		for i, sent := range receipt.Data {
			if got := s.await(sent.ID, message.StatusSent); got.To[0] != fmt.Sprintf("%d@example.com", i) {
				s.Errorf("id %d is that of the email to %s", i, got.To[0])
			}
		}
		if n := len(s.relay.Mails()); n != len(emails) {
			s.Errorf("%d mails at the relay host", n)
		}
	})
}
