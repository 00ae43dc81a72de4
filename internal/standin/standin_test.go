package standin_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/standin"
	"github.com/postrider/postrider/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOtherMailIsSentAsWithoutIt holds the mailer behind a stand-in to all that
// senders promise.
func TestOtherMailIsSentAsWithoutIt(t *testing.T) {
	conformance.Sender(t, func(t *testing.T, setup conformance.SenderSetup) worker.Sender {
		m, err := mailer.New(mailer.Config{
			URL: setup.URL, RootCAs: setup.Roots, Logger: setup.Log, HelloName: "postrider.test",
			DialTimeout: setup.DialTimeout, SendTimeout: setup.SendTimeout, ReplyTimeout: setup.ReplyTimeout,
			SessionIdle: setup.SessionIdle, SessionMails: setup.SessionMails,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return standin.New(m)
	})
}

// host is a relay host that is down. It notes who was sent to.
type host struct{ asked []string }

var errDown = &message.SendError{Fault: message.FaultRelayHost, Text: "down"}

func (h *host) Send(_ context.Context, work *message.Work, _ func(context.Context) error) (message.Receipt, error) {
	h.asked = append(h.asked, work.Address)
	return message.Receipt{}, errDown
}

func (h *host) Probe(context.Context) error { return errDown }

func workTo(address string, tries int) *message.Work {
	return &message.Work{Address: address, Attempts: tries, Message: &message.Message{
		ID: uuid.Must(uuid.NewV7()), CreatedAt: time.UnixMilli(1_800_000_000_000), Content: message.Content{Text: "Hi."},
		Head: message.Head{From: message.Address{Email: "a@example.com"}, To: []message.Address{{Email: address}}},
	}}
}

// sends tells what comes of a mail: the code, the fault, and whether it was marked.
func sends(t *testing.T, s worker.Sender, address string, tries int) (code int, fault message.Fault, marks int) {
	t.Helper()
	receipt, err := s.Send(t.Context(), workTo(address, tries), func(context.Context) error { marks++; return nil })
	var e *message.SendError
	switch {
	case errors.As(err, &e):
		if e.Text == "" || e.RelayHost == "" && e.Fault != message.FaultRelayHost {
			t.Errorf("%s: %+v", address, e)
		}
		return e.Code, e.Fault, marks
	case err != nil:
		t.Fatalf("%s: %v is no SendError", address, err)
	}
	return receipt.Code, 0, marks
}

func TestEachActsItsPart(t *testing.T) {
	for address, want := range map[string]struct {
		tries, code int
		fault       message.Fault
		marks       int
	}{
		"delivered@simulator.postrider.test":          {0, 250, 0, 1},
		"Delivered+order-17@simulator.postrider.test": {0, 250, 0, 1},
		"delivered++@simulator.postrider.test":        {3, 250, 0, 1},
		"bounced@simulator.postrider.test":            {0, 550, message.FaultPermanent, 0},
		"bounced+x@simulator.postrider.test":          {7, 550, message.FaultPermanent, 0},
		"delayed@simulator.postrider.test":            {0, 451, message.FaultTemporary, 0},
		"delayed+again@simulator.postrider.test":      {1, 250, 0, 1},
		"nobody@simulator.postrider.test":             {0, 550, message.FaultPermanent, 0},
		"+@simulator.postrider.test":                  {0, 550, message.FaultPermanent, 0},
		"delivered@example.com":                       {0, 0, message.FaultRelayHost, 0},
		"delivered@x.simulator.postrider.test":        {0, 0, message.FaultRelayHost, 0},
		"delivered@simulator.postrider.test.example":  {0, 0, message.FaultRelayHost, 0},
		"simulator.postrider.test@example.com":        {0, 0, message.FaultRelayHost, 0},
	} {
		down := &host{}
		code, fault, marks := sends(t, standin.New(down), address, want.tries)
		if code != want.code || fault != want.fault || marks != want.marks {
			t.Errorf("%s: %d, fault %d, %d marks", address, code, fault, marks)
		}
		if real := want.fault == message.FaultRelayHost; real != (len(down.asked) == 1) {
			t.Errorf("%s: the relay host was asked for %v", address, down.asked)
		}
	}
}

func TestARefusedMarkBreaksOff(t *testing.T) {
	_, err := standin.New(&host{}).Send(t.Context(), workTo("delivered@simulator.postrider.test", 0), func(context.Context) error {
		return message.ErrMarkRefused
	})
	var e *message.SendError
	if !errors.Is(err, message.ErrMarkRefused) || errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

func TestSlowTakesItsTimeAndCanBeBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standin.New(&host{})
		began := time.Now()
		if code, _, marks := sends(t, s, "slow@simulator.postrider.test", 0); code != 250 || marks != 1 {
			t.Errorf("%d, %d marks", code, marks)
		}
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("it took %v", took)
		}
		canceled := errors.New("canceled")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(canceled) })
		_, err := s.Send(ctx, workTo("slow@simulator.postrider.test", 0), func(context.Context) error {
			t.Error("marked after all")
			return nil
		})
		var e *message.SendError
		if !errors.As(err, &e) || e.Fault != message.FaultTemporary || !errors.Is(err, canceled) {
			t.Errorf("%v", err)
		}
		_, err = s.Send(ctx, workTo("delivered@simulator.postrider.test", 0), func(context.Context) error { return nil })
		if !errors.As(err, &e) || e.Fault != message.FaultTemporary {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestSlowHoldsUpOneWorkerOnly: whoever posts to it must not hold up others.
func TestSlowHoldsUpOneWorkerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standin.New(&host{})
		go func() {
			if code, _, _ := sends(t, s, "slow+1@simulator.postrider.test", 0); code != 250 {
				t.Errorf("the first: %d", code)
			}
		}()
		synctest.Wait()
		if code, fault, marks := sends(t, s, "slow+2@simulator.postrider.test", 0); code != 451 || fault != message.FaultTemporary || marks != 0 {
			t.Errorf("the second: %d, fault %d, %d marks", code, fault, marks)
		}
		time.Sleep(9 * time.Second)
		if code, _, _ := sends(t, s, "slow+2@simulator.postrider.test", 1); code != 250 {
			t.Errorf("the second, later: %d", code)
		}
	})
}

func TestWhatNoMailCanBeMadeOfFailsAsAnyOther(t *testing.T) {
	work := workTo("delivered@simulator.postrider.test", 0)
	work.Message.Head.Subject = "a\nb"
	_, err := standin.New(&host{}).Send(t.Context(), work, func(context.Context) error { t.Error("marked"); return nil })
	var e *message.SendError
	if !errors.As(err, &e) || e.Fault != message.FaultPermanent || e.Reason != message.ReasonRender {
		t.Errorf("%v", err)
	}
}

func TestAProbeIsTheRelayHosts(t *testing.T) {
	if err := standin.New(&host{}).Probe(t.Context()); !errors.Is(err, error(errDown)) {
		t.Error(err)
	}
}
