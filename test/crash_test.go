package test

import (
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// fuse lets the relay host's script run something of the story at a step.
type fuse struct {
	mu   sync.Mutex
	burn func()
}

func (f *fuse) set(burn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.burn = burn
}

// blow runs what was set, once.
func (f *fuse) blow(smtptest.Event) {
	f.mu.Lock()
	burn := f.burn
	f.burn = nil
	f.mu.Unlock()
	if burn != nil {
		burn()
	}
}

// killedAt tells the story of a worker killed when the relay host sees the
// step, and of what is left after another has gone on with it.
func killedAt(t *testing.T, step smtptest.Step, edit func(email) email, after func(s *stack, id string)) {
	killedUnder(t, nil, step, edit, after)
}

// killedUnder is killedAt with settings of the story's own.
func killedUnder(t *testing.T, env map[string]string, step smtptest.Step, edit func(email) email, after func(s *stack, id string)) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			var f fuse
			rule := smtptest.Rule{At: step, Do: f.blow}
			s := newStack(t, m, setting{script: smtptest.Script{Rules: []smtptest.Rule{rule}}, consumers: 1, env: env})
			victim := s.workers[0]
			killed := make(chan struct{})
			f.set(func() { victim.kill(); close(killed) })
			id := s.post(edit(mail("ann@example.com")))
			<-killed
			s.restart(victim)
			after(s, id)
		})
	}
}

func asIs(e email) email { return e }

func sentOnce(s *stack, id string) {
	s.Helper()
	s.await(id, message.StatusSent)
	if n := len(s.relay.Mails()); n != 1 {
		s.Errorf("the relay host took %d mails", n)
	}
}

func TestAConsumerKilledBeforeMailIsTakenOver(t *testing.T) {
	killedAt(t, smtptest.Ehlo, asIs, sentOnce)
}

func TestAConsumerKilledAtRcptIsTakenOver(t *testing.T) {
	killedAt(t, smtptest.Rcpt, asIs, sentOnce)
}

func TestAConsumerKilledAtDataIsTakenOver(t *testing.T) {
	killedAt(t, smtptest.Data, asIs, sentOnce)
}

// The dot is written and the process dies before it hears the answer: SMTP
// cannot say whether the mail was taken, and it was.
func TestAConsumerKilledAfterTheFinalDotResends(t *testing.T) {
	killedAt(t, smtptest.Dot, asIs, func(s *stack, id string) {
		e := s.await(id, message.StatusSent)
		if n := len(s.relay.Mails()); n > 2 {
			s.Errorf("one kill made %d copies", n)
		}
		if len(e.Attempts) != 2 || e.Attempts[0].Outcome != message.OutcomeUnknown {
			s.Errorf("the history says %+v", e.Attempts)
		}
	})
}

func TestAConsumerKilledAfterTheFinalDotHolds(t *testing.T) {
	hold := func(e email) email { return e.with("on_unknown", "hold") }
	killedAt(t, smtptest.Dot, hold, func(s *stack, id string) {
		e := s.await(id, message.StatusUnknown)
		if !e.PossiblySent {
			s.Error("the record hides the doubt")
		}
		if n := len(s.relay.Mails()); n > 1 {
			s.Errorf("%d copies under hold", n)
		}
	})
}

// A stopped process keeps its connections and is not dead: its lease ends, another
// sends, and when it wakes up in the midst of its own send its mark is refused.
func TestAStalledConsumerIsTakenOverAndSendsNothing(t *testing.T) {
	t.Parallel()
	var f fuse
	rule := smtptest.Rule{At: smtptest.Data, Do: f.blow}
	s := newStack(t, distributed, setting{script: smtptest.Script{Rules: []smtptest.Rule{rule}}, consumers: 1})
	stalled := s.workers[0]
	f.set(stalled.pause)
	id := s.post(mail("ann@example.com"))
	if err := s.relay.AwaitStep(t.Context(), smtptest.Data, 1); err != nil {
		t.Fatal(err)
	}
	s.startConsumer()
	sentOnce(s, id)
	stalled.signal(syscall.SIGCONT)
	s.eventually("the stalled one has broken off", func() bool { return strings.Contains(stalled.out.String(), "broke off") })
	sentOnce(s, id)
}

func TestAcceptedMailSurvivesAKilledProducer(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		var ids []string
		for range 20 {
			ids = append(ids, s.post(mail("ann@example.com")))
		}
		s.restart(s.producer)
		for _, id := range ids {
			s.await(id, message.StatusSent)
		}
	})
}

func TestStopFinishesTheSendInHand(t *testing.T) {
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			rule := smtptest.Rule{At: smtptest.Data, Times: 1, Wait: release}
			s := newStack(t, m, setting{script: smtptest.Script{Rules: []smtptest.Rule{rule}}, consumers: 1})
			id := s.post(mail("ann@example.com"))
			if err := s.relay.AwaitStep(t.Context(), smtptest.Rcpt, 1); err != nil {
				t.Fatal(err)
			}
			stopped := make(chan struct{})
			go func() { s.workers[0].stop(); close(stopped) }()
			s.eventually("it takes no more", func() bool { return s.workers[0].stopping() })
			close(release)
			<-stopped
			if n := len(s.relay.Mails()); n != 1 {
				t.Errorf("the relay host took %d mails", n)
			}
			if m == embedded {
				s.startProducer()
			}
			if e := s.get(id); e.Status != message.StatusSent || len(e.Attempts) != 1 {
				t.Errorf("%s after %+v", e.Status, e.Attempts)
			}
		})
	}
}

// A relay host that keeps its answer to the final dot to itself cannot hold up a
// stop: the outcome is recorded as what it is, unknown.
func TestStopDoesNotWaitForeverForAReply(t *testing.T) {
	silent := smtptest.Rule{At: smtptest.Dot, Times: 1, End: smtptest.Silent}
	set := setting{
		script: smtptest.Script{Rules: []smtptest.Rule{silent}}, consumers: 1,
		env: map[string]string{"POSTRIDER_SHUTDOWN_GRACE": "2s"},
	}
	inBothModes(t, set, func(s *stack) {
		id := s.post(mail("ann@example.com").with("on_unknown", "hold"))
		if err := s.relay.AwaitStep(s.Context(), smtptest.Dot, 1); err != nil {
			s.Fatal(err)
		}
		s.workers[0].stop() // exits with 0
		if s.mode == embedded {
			s.startProducer()
		}
		if e := s.await(id, message.StatusUnknown); len(e.Attempts) != 1 || !e.PossiblySent {
			s.Errorf("%+v", e)
		}
	})
}
