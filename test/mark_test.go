package test

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// markedByClaim is the setting under which the claim of mail that is resent is its
// mark.
func markedByClaim() map[string]string { return map[string]string{"POSTRIDER_MARK": "hold"} }

// Nobody can tell that no dot was written: the mail waits for the lease, which one
// process alone need not, and goes out once.
func TestWithClaimsForMarksAKilledConsumersMailIsSentOnceItsLeaseIsOver(t *testing.T) {
	killedUnder(t, markedByClaim(), smtptest.Rcpt, asIs, func(s *stack, id string) {
		sentOnce(s, id)
		tries := s.get(id).Attempts
		if len(tries) != 2 || tries[0].Outcome != message.OutcomeUnknown || tries[1].Outcome != message.OutcomeSent {
			s.Fatalf("the history says %+v", tries)
		}
		waited := tries[1].StartedAt.Sub(tries[0].StartedAt.Time)
		if lease := 6 * time.Second; s.mode == distributed && waited < lease {
			s.Errorf("it was sent again %v after it was last held, and the lease is %v", waited, lease)
		}
	})
}

func TestWithClaimsForMarksMailOnHoldIsTakenOverAsAlways(t *testing.T) {
	hold := func(e email) email { return e.with("on_unknown", "hold") }
	killedUnder(t, markedByClaim(), smtptest.Rcpt, hold, sentOnce)
}

func TestWithClaimsForMarksAStopGivesBackWhatItBreaksOff(t *testing.T) {
	silent := smtptest.Rule{At: smtptest.Rcpt, Times: 1, End: smtptest.Silent}
	env := markedByClaim()
	env["POSTRIDER_SHUTDOWN_GRACE"] = "1s"
	set := setting{script: smtptest.Script{Rules: []smtptest.Rule{silent}}, consumers: 1, env: env}
	inBothModes(t, set, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		if err := s.relay.AwaitStep(s.Context(), smtptest.Rcpt, 1); err != nil {
			s.Fatal(err)
		}
		s.workers[0].stop()
		if s.mode == embedded {
			s.startProducer()
		} else {
			s.startConsumer()
		}
		sentOnce(s, id)
		if e := s.get(id); len(e.Attempts) != 1 {
			s.Errorf("a try was charged or doubted: %+v", e.Attempts)
		}
	})
}

func TestWithClaimsForMarksNothingIsCanceledOnceAWorkerHasIt(t *testing.T) {
	release := make(chan struct{})
	slow := smtptest.Rule{At: smtptest.Rcpt, Times: 1, Wait: release}
	s := newStack(t, distributed, setting{script: smtptest.Script{Rules: []smtptest.Rule{slow}}, consumers: 1, env: markedByClaim()})
	id := s.post(mail("ann@example.com"))
	if err := s.relay.AwaitStep(t.Context(), smtptest.Mail, 1); err != nil {
		t.Fatal(err)
	}
	res, err := s.request("POST", "/v1/emails/"+id+"/cancel", "", nil)
	close(release)
	if err != nil || res.status != 409 {
		t.Errorf("cancel: %d %v %s", res.status, err, res.body)
	}
	sentOnce(s, id)
}

func TestWithClaimsForMarksARelayHostThatIsDownIsChargedToNoMail(t *testing.T) {
	rules := []smtptest.Rule{{At: smtptest.Connect, Times: 4, Reply: "554 5.3.2 not today", End: smtptest.Hangup}}
	inBothModes(t, setting{script: smtptest.Script{Rules: rules}, env: markedByClaim()}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		sentOnce(s, id)
		if e := s.get(id); e.Recipients[0].Attempts > 1 || len(e.Attempts) != 1 {
			s.Errorf("%+v", e)
		}
	})
}
