package test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/internal/wire"
)

func TestAPostedEmailReachesTheRelayHost(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusSent)
		mails := s.relay.Mails()
		if len(mails) != 1 || mails[0].Rcpts[0] != "ann@example.com" {
			s.Fatalf("the relay host has %+v", mails)
		}
		if !strings.Contains(string(mails[0].Data), id) {
			s.Error("the Message-ID does not hold the id the caller knows")
		}
		if len(e.Attempts) != 1 || e.Attempts[0].Code != 250 {
			s.Errorf("attempts: %+v", e.Attempts)
		}
	})
}

func TestOneRecipientsRefusalNeverTouchesAnothersMail(t *testing.T) {
	refuse := smtptest.Rule{At: smtptest.Rcpt, Match: "nobody@", Reply: "550 5.1.1 no such user"}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{refuse}}}, func(s *stack) {
		e := mail("ann@example.com", "nobody@example.com").with("bcc", []string{"bob@example.com"})
		id := s.post(e)
		got := s.await(id, message.StatusFailed)
		s.eventually("both others are sent", func() bool {
			got = s.get(id)
			return got.Counts[message.StatusSent] == 2
		})
		if r := recipient(s, got, "nobody@example.com"); r.Reason != message.ReasonRejected || r.Attempts != 0 && r.Attempts != 1 {
			s.Errorf("the refused one: %+v", r)
		}
		seen := map[string]int{}
		for _, m := range s.relay.Mails() {
			seen[m.Rcpts[0]]++
			if strings.Contains(string(m.Data), "bob@example.com") {
				s.Error("a Bcc address stands in the mail")
			}
		}
		if seen["ann@example.com"] != 1 || seen["bob@example.com"] != 1 || len(seen) != 2 {
			s.Errorf("the relay host took %v", seen)
		}
	})
}

func recipient(s *stack, e wire.Email, address string) wire.Recipient {
	s.Helper()
	for _, r := range e.Recipients {
		if r.Address == address {
			return r
		}
	}
	s.Fatalf("%s is no recipient of %+v", address, e.Recipients)
	return wire.Recipient{}
}

func Test451IsRetriedByTheScheduleNotInALoop(t *testing.T) {
	later := smtptest.Rule{At: smtptest.Rcpt, Match: "later@", Times: 1, Reply: "451 4.7.1 greylisted"}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{later}}}, func(s *stack) {
		start := time.Now()
		id := s.post(mail("later@example.com"))
		delayed := s.await(id, message.StatusDelayed)
		if r := delayed.Recipients[0]; r.Attempts != 1 || r.NextAttemptAt.IsZero() {
			s.Errorf("while delayed: %+v", r)
		}
		e := s.await(id, message.StatusSent)
		if waited := time.Since(start); waited < 8*time.Second {
			s.Errorf("tried again after %v, before the first wait of 10 s was over", waited)
		}
		if n := s.relay.Stats().Steps[smtptest.Rcpt]; n != 2 {
			s.Errorf("%d tries", n)
		}
		if len(e.Attempts) != 2 || e.Attempts[0].Code != 451 || e.Attempts[1].Code != 250 {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

func Test550FailsAtOnce(t *testing.T) {
	refuse := smtptest.Rule{At: smtptest.Dot, Reply: "550 5.7.1 spam"}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{refuse}}}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusFailed)
		if r := e.Recipients[0]; r.Reason != message.ReasonRejected || r.PossiblySent {
			s.Errorf("%+v", r)
		}
		if len(e.Attempts) != 1 || e.Attempts[0].Code != 550 || e.Attempts[0].EnhancedCode != "5.7.1" {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

// notYet has something done before a moment that is that far ahead. Where a busy machine
// has let the moment pass meanwhile, it is done again, before a later one.
func notYet(ahead time.Duration, do func(due time.Time)) (due time.Time) {
	for ; ; ahead *= 2 {
		due = time.Now().Add(ahead)
		if do(due); time.Now().Before(due) {
			return due
		}
	}
}

func TestScheduledMailGoesNotBeforeItsTime(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		var id string
		var e wire.Email
		due := notYet(3*time.Second, func(due time.Time) {
			id = s.post(mail("ann@example.com").with("scheduled_at", due.Format(time.RFC3339Nano)))
			e = s.get(id)
		})
		if e.Status != message.StatusScheduled {
			s.Errorf("before its time it is %s", e.Status)
		}
		s.await(id, message.StatusSent)
		if early := time.Until(due); early > 0 {
			s.Errorf("sent %v before its time", early)
		}
	})
}

func TestCanceledMailIsNeverSent(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		var canceled, to string
		var res response
		var err error
		due := notYet(2*time.Second, func(due time.Time) {
			to = uuid.NewString() + "@example.com" // an earlier one may have been sent
			canceled = s.post(mail(to).with("scheduled_at", due.Format(time.RFC3339Nano)))
			res, err = s.request("POST", "/v1/emails/"+canceled+"/cancel", "", nil)
		})
		if err != nil || res.status != 200 {
			s.Fatalf("cancel: %d %v %s", res.status, err, res.body)
		}
		sent := s.post(mail("sent@example.com").with("scheduled_at", due.Add(2*time.Second).Format(time.RFC3339Nano)))
		s.await(sent, message.StatusSent) // two seconds later than the canceled one would have gone
		s.await(canceled, message.StatusCanceled)
		for _, m := range s.relay.Mails() {
			if m.Rcpts[0] == to {
				s.Error("the relay host took the canceled mail")
			}
		}
		if res, _ := s.request("POST", "/v1/emails/"+sent+"/cancel", "", nil); res.status != 409 {
			s.Errorf("canceling what was sent: %d %s", res.status, res.body)
		}
	})
}

func TestExpiredMailFailsWithItsReason(t *testing.T) {
	rules := []smtptest.Rule{{At: smtptest.Rcpt, Match: "late@", Reply: "451 4.3.0 later"}}
	inBothModes(t, setting{script: smtptest.Script{Rules: rules}}, func(s *stack) {
		at := time.Now().Add(3 * time.Second)
		id := s.post(mail("late@example.com").with("expires_at", at.Format(time.RFC3339Nano)))
		e := s.await(id, message.StatusFailed)
		if r := e.Recipients[0]; r.Reason != message.ReasonExpired {
			s.Errorf("%+v", r)
		}
	})
}

func TestAFailedMailCanBeRetriedByHand(t *testing.T) {
	refuse := smtptest.Rule{At: smtptest.Rcpt, Times: 1, Reply: "550 5.1.1 not yet"}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{refuse}}}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		s.await(id, message.StatusFailed)
		if res, err := s.request("POST", "/v1/emails/"+id+"/retry", "", nil); err != nil || res.status != 200 {
			s.Fatalf("retry: %d %v %s", res.status, err, res.body)
		}
		s.await(id, message.StatusSent)
	})
}

func TestSlowBulkMailNeverStandsBeforeAnUrgentOne(t *testing.T) {
	hold := make(chan struct{})
	slow := smtptest.Rule{At: smtptest.Rcpt, Match: "bulk@", Wait: hold}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{slow}}}, func(s *stack) {
		s.Cleanup(func() {
			select {
			case <-hold:
			default:
				close(hold)
			}
		})
		for range 20 {
			s.post(mail("bulk@example.com").with("lane", "low"))
		}
		s.eventually("the low lane is full", func() bool { return s.relay.Stats().Steps[smtptest.Rcpt] >= 2 })
		id := s.post(mail("urgent@example.com").with("lane", "critical"))
		s.await(id, message.StatusSent)
	})
}

func TestTheSameKeyIsOneMessage(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		status, id, body := s.tryPost(mail("ann@example.com"), "order-17")
		if status != 202 {
			s.Fatalf("%d %s", status, body)
		}
		s.await(id, message.StatusSent)
		s.restart(s.producer)
		if status, again, body := s.tryPost(mail("ann@example.com"), "order-17"); status != 202 || again != id {
			s.Errorf("the same request again: %d %s, want %s: %s", status, again, id, body)
		}
		if status, _, body := s.tryPost(mail("bob@example.com"), "order-17"); status != 409 {
			s.Errorf("another request under the key: %d %s", status, body)
		}
		if n := len(s.relay.Mails()); n != 1 {
			s.Errorf("%d mails", n)
		}
	})
}
