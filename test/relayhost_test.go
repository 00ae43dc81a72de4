package test

import (
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

func TestADropAfterTheFinalDotIsResent(t *testing.T) {
	drop := smtptest.Rule{At: smtptest.Dot, Times: 1, End: smtptest.Drop}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{drop}}}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusSent)
		if len(e.Attempts) != 2 || e.Attempts[0].Outcome != message.OutcomeUnknown {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

func TestAMailOfUnknownOutcomeGoesOutThreeTimesAtMost(t *testing.T) {
	drop := smtptest.Rule{At: smtptest.Dot, End: smtptest.Drop}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{drop}}}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusUnknown) // after waits of 10 and 30 s
		if n := s.relay.Stats().Steps[smtptest.Dot]; n != message.MaxUnknownOutcomes || !e.PossiblySent {
			s.Errorf("%d final dots; possibly sent: %v", n, e.PossiblySent)
		}
	})
}

func TestADropAfterTheFinalDotUnderHoldAwaitsADecision(t *testing.T) {
	drop := smtptest.Rule{At: smtptest.Dot, Times: 1, End: smtptest.Drop}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{drop}}}, func(s *stack) {
		id := s.post(mail("ann@example.com").with("on_unknown", "hold"))
		e := s.await(id, message.StatusUnknown)
		if !e.PossiblySent || len(e.Attempts) != 1 {
			s.Errorf("%+v", e)
		}
		if n := s.relay.Stats().Steps[smtptest.Dot]; n != 1 {
			s.Errorf("%d final dots", n)
		}
		if res, err := s.request("POST", "/v1/emails/"+id+"/retry", "", nil); err != nil || res.status != 200 {
			s.Fatalf("retry: %d %v %s", res.status, err, res.body)
		}
		s.await(id, message.StatusSent)
	})
}

func TestARelayHostThatIsDownIsChargedToNoMail(t *testing.T) {
	rules := []smtptest.Rule{{At: smtptest.Connect, Times: 4, Reply: "554 5.3.2 not today", End: smtptest.Hangup}}
	inBothModes(t, setting{script: smtptest.Script{Rules: rules}}, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusSent)
		if r := e.Recipients[0]; r.Attempts > 1 || len(e.Attempts) != 1 {
			s.Errorf("%+v %+v", r, e.Attempts)
		}
		if fired := s.relay.Stats().Fired[0]; fired != 4 {
			s.Errorf("refused %d times", fired)
		}
	})
}

func TestASilentRelayHostIsGivenUpInTime(t *testing.T) {
	silent := smtptest.Rule{At: smtptest.Mail, Times: 1, End: smtptest.Silent}
	set := setting{
		script: smtptest.Script{Rules: []smtptest.Rule{silent}},
		env:    map[string]string{"POSTRIDER_SEND_TIMEOUT": "5s"}, // the usual 2 min would make this a long story
	}
	inBothModes(t, set, func(s *stack) {
		id := s.post(mail("ann@example.com"))
		e := s.await(id, message.StatusSent)
		if len(e.Attempts) != 2 || e.Attempts[0].Outcome != message.OutcomeRetry {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

func TestARelayHostWithoutTLSGetsNoMailWhereTLSIsRequired(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		for i, p := range s.workers {
			p.stop()
			s.workers[i] = nil
		}
		s.workers = nil
		s.env["POSTRIDER_SMTP_URL"] = s.relay.URL("required", "", "")
		if s.mode == embedded {
			s.startProducer()
		} else {
			s.startConsumer()
		}
		before := s.relay.Stats().Sessions
		id := s.post(mail("ann@example.com"))
		s.eventually("several sessions were tried", func() bool { return s.relay.Stats().Sessions >= before+3 })
		if n := s.relay.Stats().Steps[smtptest.Mail]; n != 0 {
			s.Errorf("%d MAIL commands in the clear", n)
		}
		if e := s.get(id); e.Status == message.StatusFailed || e.Status == message.StatusSent {
			s.Errorf("the mail is %s", e.Status)
		}
	})
}
