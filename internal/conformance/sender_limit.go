package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// limitCases are hosts that bound the sessions of one client. A 421 to one more
// is no fault of a host that takes mail over those it has admitted.
func limitCases() []senderCase {
	one := smtptest.Script{MaxSessions: 1}
	return []senderCase{
		{
			name:   "a host of few sessions is used in turn",
			script: smtptest.Script{MaxSessions: 3, Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: time.Millisecond}}},
			run: func(s *senderTest) {
				s.sendFromMany(16, 10)
				s.sessions(3)
				if n := s.srv.Stats().Refused; n > 20 { // 13 at first, then one now and then
					s.Errorf("%d sessions were refused: the limit was not learned", n)
				}
			},
		},
		fewSessions("by a reset", smtptest.Reset, smtptest.Plain),
		fewSessions("by hanging up", smtptest.Drop, smtptest.Plain),
		fewSessions("by a reset before TLS", smtptest.Reset, smtptest.ImplicitTLS),
		fewSessions("by hanging up before TLS", smtptest.Drop, smtptest.ImplicitTLS),
		{
			name: "a session that ends makes room for another", script: one, setup: SenderSetup{SessionMails: 1},
			run: func(s *senderTest) { s.sendFromMany(4, 5); s.sessions(20) },
		},
		{
			name:   "a session that has died is replaced in its place",
			script: smtptest.Script{MaxSessions: 1, Rules: []smtptest.Rule{{At: smtptest.Mail, Skip: 1, Times: 1, End: smtptest.Drop}}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.sendFromMany(6, 1)
				s.sessions(2)
			},
		},
		{
			name: "a wait for a session ends with the context", script: one, setup: SenderSetup{SessionIdle: 200 * time.Millisecond},
			run: func(s *senderTest) {
				release := s.occupy()
				ctx, cancel := context.WithCancel(s.ctx)
				go func() { s.await(refused(2)); cancel() }() // the second proves that it waits
				_, err := s.sender.Send(ctx, workTo("b@example.com"), s.mark)
				s.isFault(err, message.FaultTemporary, message.ReasonNone, 0)
				if !errors.Is(err, context.Canceled) || s.marks != 0 {
					s.Errorf("error %v after %d marks", err, s.marks)
				}
				release()
				s.mustSend(workTo("c@example.com"))
				s.mails(2)
			},
		},
		{
			name: "a wait for a session ends in time", script: one, setup: SenderSetup{SendTimeout: short},
			run: func(s *senderTest) {
				release := s.occupy()
				s.mustFail(workTo("b@example.com"), message.FaultRelayHost, message.ReasonNone, 0)
				release()
				s.mustSend(workTo("c@example.com"))
				s.mails(2)
			},
		},
		{
			name: "a limit that was lifted is found out", setup: SenderSetup{SessionIdle: 50 * time.Millisecond},
			script: smtptest.Script{MaxSessions: 2}, run: limitLifted,
		},
		{name: "a probe needs no session beyond the limit", script: one, run: probeWithinLimit},
		noneAdmitted("in words", replying(smtptest.Connect, 421), 421),
		noneAdmitted("by a reset", smtptest.Rule{At: smtptest.Connect, End: smtptest.Reset}, 0),
	}
}

func noneAdmitted(how string, rule smtptest.Rule, code int) senderCase {
	return senderCase{
		name:   "where no session is admitted, " + how + ", every sender hears of it",
		script: smtptest.Script{Rules: []smtptest.Rule{rule}},
		run: func(s *senderTest) {
			const many = 8
			var wg sync.WaitGroup
			for range many {
				wg.Go(func() { s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, code) })
			}
			wg.Wait()
			// The last refusal may be asked for again, and a sender that comes late begins anew.
			if n := s.srv.Stats().Sessions; n > 2*many {
				s.Errorf("%d dials by %d senders", n, many)
			}
		},
	}
}

// fewSessions is a host that does not say that it admits no more: a firewall or
// a listener that counts connections has no words.
func fewSessions(how string, end smtptest.End, tls smtptest.TLSMode) senderCase {
	param := map[smtptest.TLSMode]string{smtptest.ImplicitTLS: "implicit"}[tls]
	return senderCase{
		name: "a host that turns one more away " + how + " is used in turn", tlsParam: param,
		script: smtptest.Script{MaxSessions: 3, TurnAway: end, TLS: tls, Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: time.Millisecond}}},
		run: func(s *senderTest) {
			s.sendFromMany(16, 10)
			if n := s.srv.Stats().Refused; n > 20 {
				s.Errorf("%d sessions were refused: the limit was not learned", n)
			}
		},
	}
}

func refused(n int) func(smtptest.Stats) bool {
	return func(st smtptest.Stats) bool { return st.Refused >= n }
}

// occupy has a send hold its session, at its mark, until release, which waits
// for it to be through.
func (s *senderTest) occupy() (release func()) {
	s.Helper()
	held, free, through := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.sender.Send(s.ctx, workTo("occupier@example.com"), func(ctx context.Context) error {
			close(held)
			select {
			case <-free:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		through <- err
	}()
	select {
	case <-held:
	case err := <-through:
		s.Fatalf("no session for the first mail: %v", err)
	}
	return func() {
		s.Helper()
		close(free)
		if err := <-through; err != nil {
			s.Errorf("the mail that held the session: %v", err)
		}
	}
}

// limitLifted has another client hold one of two sessions, and end it while all
// of the sender's are in use: only a new try can find that out.
func limitLifted(s *senderTest) {
	other, err := net.Dial("tcp", s.srv.Addr())
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, _, err := textproto.NewConn(other).ReadResponse(220); err != nil {
		s.Fatal(err)
	}
	release := s.occupy()
	go func() { s.await(refused(2)); _ = other.Close() }()
	s.mustSend(workTo("b@example.com"))
	release()
	s.mails(2)
}

// probeWithinLimit probes while the one session is idle, then while it is in
// use, then when it has died.
func probeWithinLimit(s *senderTest) {
	probe := func(when string) {
		s.Helper()
		if err := s.sender.Probe(s.ctx); err != nil {
			s.Errorf("%s: %v", when, err)
		}
	}
	s.mustSend(workTo("a@example.com"))
	probe("idle")
	release := s.occupy()
	probed := make(chan struct{})
	go func() { probe("in use"); close(probed) }()
	release()
	<-probed
	s.sessions(1)
	s.srv.DropIdle()
	s.await(func(st smtptest.Stats) bool { return st.Open == 0 })
	probe("dead")
	s.mustSend(workTo("b@example.com"))
	s.mails(3)
}

// sendFromMany sends mails from several senders at once and finds each at the
// host once.
func (s *senderTest) sendFromMany(senders, each int) {
	s.Helper()
	var wg sync.WaitGroup
	for n := range senders {
		wg.Go(func() {
			for i := range each {
				work := workTo(fmt.Sprintf("r%d-%d@example.com", n, i))
				if _, err := s.sender.Send(s.ctx, work, func(context.Context) error { return nil }); err != nil {
					s.Errorf("send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, tx := range s.srv.Mails() {
		seen[tx.Rcpts[0]]++
	}
	for n := range senders {
		for i := range each {
			if to := fmt.Sprintf("r%d-%d@example.com", n, i); seen[to] != 1 {
				s.Errorf("%s got %d mails", to, seen[to])
			}
		}
	}
}
