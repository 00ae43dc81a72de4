package mailer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

func start(t testing.TB, srv *smtptest.Server, tune func(*mailer.Config)) *mailer.Mailer {
	t.Helper()
	cfg := mailer.Config{URL: srv.URL("none", "", ""), RootCAs: srv.Roots(), HelloName: "postrider.test"}
	if tune != nil {
		tune(&cfg)
	}
	m, err := mailer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func work(address string) *message.Work {
	id := uuid.Must(uuid.NewV7())
	return &message.Work{
		Held: message.Held{Key: message.Key{MessageID: id}, Claim: 1}, Channel: message.ChannelEmail, Address: address,
		Message: &message.Message{
			ID: id, CreatedAt: time.UnixMilli(1_800_000_000_000),
			Head: message.Head{
				From: message.Address{Email: "from@example.com"}, To: []message.Address{{Email: address}}, Subject: "Hello",
			},
			Content: message.Content{Text: "Hello.\n", HTML: "<p>Hello.</p>\n"},
		},
	}
}

func marked(context.Context) error { return nil }

func TestStopWaitsForTheReply(t *testing.T) {
	gate := make(chan struct{})
	srv := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Wait: gate}}})
	m := start(t, srv, nil)
	sent := make(chan error, 1)
	go func() {
		_, err := m.Send(t.Context(), work("a@example.com"), marked)
		sent <- err
	}()
	if err := srv.AwaitStep(t.Context(), smtptest.Dot, 1); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- m.Stop(t.Context()) }()
	for m.Probe(t.Context()) == nil { // until Stop has begun
	}
	select {
	case err := <-stopped:
		t.Fatalf("Stop did not wait: %v", err)
	default:
	}
	close(gate)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestStopEndsWithItsContext(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{
		{At: smtptest.Dot, End: smtptest.Silent}, {At: smtptest.Rcpt, Match: "early@", End: smtptest.Silent},
	}})
	m := start(t, srv, nil)
	faults := make(chan message.Fault, 2)
	for _, address := range []string{"a@example.com", "early@example.com"} {
		go func() {
			_, err := m.Send(t.Context(), work(address), marked)
			var e *message.SendError
			if errors.As(err, &e) {
				faults <- e.Fault
			} else {
				t.Errorf("to %s: %v", address, err)
				faults <- 0
			}
		}()
	}
	both := func(st smtptest.Stats) bool { return st.Fired[0] == 1 && st.Fired[1] == 1 }
	if err := srv.Await(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v", err)
	}
	if got := [2]message.Fault{<-faults, <-faults}; got != [2]message.Fault{message.FaultUnknown, message.FaultTemporary} &&
		got != [2]message.Fault{message.FaultTemporary, message.FaultUnknown} {
		t.Errorf("the sends ended as %v", got)
	}
}

// One mail has the only session, another waits for it.
func TestStopAndMailThatWaitsForASession(t *testing.T) {
	for _, patient := range []bool{true, false} {
		gate := make(chan struct{})
		srv := smtptest.New(t, smtptest.Script{MaxSessions: 1, Rules: []smtptest.Rule{{At: smtptest.Dot, Wait: gate}}})
		m := start(t, srv, func(c *mailer.Config) { c.SessionIdle = 100 * time.Millisecond })
		sent := make(chan error, 2)
		send := func() {
			_, err := m.Send(t.Context(), work("a@example.com"), marked)
			sent <- err
		}
		go send()
		if err := srv.AwaitStep(t.Context(), smtptest.Dot, 1); err != nil {
			t.Fatal(err)
		}
		go send()
		if err := srv.Await(t.Context(), func(st smtptest.Stats) bool { return st.Refused == 2 }); err != nil { // tried again: so it waits
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- m.Stop(ctx) }()
		if patient {
			close(gate)
		} else {
			cancel()
		}
		if err := <-stopped; (err == nil) != patient {
			t.Errorf("Stop: %v", err)
		}
		cancel()
		for range 2 {
			if err := <-sent; (err == nil) != patient {
				t.Errorf("patient %v: %v", patient, err)
			}
		}
	}
}

func TestAfterStopNothingIsSent(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{})
	m := start(t, srv, nil)
	if _, err := m.Send(t.Context(), work("a@example.com"), marked); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := srv.Stats(); st.Steps[smtptest.Quit] != 1 {
		t.Errorf("the kept session was not ended in good form: %v", st.Steps)
	}
	_, err := m.Send(t.Context(), work("b@example.com"), marked)
	var e *message.SendError
	if !errors.As(err, &e) || e.Fault != message.FaultRelayHost || !errors.Is(err, mailer.ErrStopped) {
		t.Errorf("Send after Stop: %v", err)
	}
	if err := m.Probe(t.Context()); !errors.Is(err, mailer.ErrStopped) {
		t.Errorf("Probe after Stop: %v", err)
	}
}

// TestStartStopStress stops mailers at any moment of their work. The race
// detector and the leak check at the end are what it is for.
func TestStartStopStress(t *testing.T) {
	for _, most := range []int{0, 2} {
		stressStartStop(t, smtptest.New(t, smtptest.Script{MaxSessions: most}))
	}
}

func stressStartStop(t *testing.T, srv *smtptest.Server) {
	for round := range 30 {
		m := start(t, srv, func(c *mailer.Config) { c.SessionMails, c.SessionIdle = 3, time.Millisecond })
		target := srv.Stats().Accepted + round%7
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					if _, err := m.Send(t.Context(), work("a@example.com"), marked); err != nil {
						return
					}
				}
			})
		}
		for range 2 {
			all.Go(func() {
				_ = srv.AwaitMails(t.Context(), target)
				_ = m.Stop(t.Context())
			})
		}
		all.Wait()
	}
}
