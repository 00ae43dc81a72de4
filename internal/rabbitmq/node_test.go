//go:build brokerfaults

package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// These tests disturb the whole broker, and with it every other test that uses
// it. They run alone: go test -tags brokerfaults -run TestNode ./internal/rabbitmq

func command(t *testing.T, variable string, arguments ...string) {
	t.Helper()
	out, err := exec.Command(fromEnvironment(t, variable), arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", variable, strings.Join(arguments, " "), err, out)
	}
}

func TestNodeMemoryAlarm(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	for range 5 {
		publishes(t, q, lane)
	}
	const alarm = "{{resource_limit, memory, node()}, []}"
	calm := func() {
		command(t, "POSTRIDER_TEST_RABBITMQCTL", "eval", "rabbit_alarm:clear_alarm(element(1, "+alarm+")).")
	}
	t.Cleanup(calm)
	command(t, "POSTRIDER_TEST_RABBITMQCTL", "eval", "rabbit_alarm:set_alarm("+alarm+").")

	for range 2 { // the second knows before it writes
		began := time.Now()
		err := q.Publish(t.Context(), lane, refs(1))[0]
		if !errors.Is(err, message.ErrUnavailable) && !errors.Is(err, message.ErrNotConfirmed) {
			t.Errorf("publish: %v", err)
		}
		if took := time.Since(began); took > 4*time.Second { // a confirm is waited for longer
			t.Errorf("publish took %v", took)
		}
	}
	if _, err := q.Ready(t.Context(), lane); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	until(t, "the state to tell", func() bool { return strings.Contains(q.State().Publisher.Blocked, "memory") })
	copies := consuming(t, q, lane)
	for range 5 {
		receive(t, copies)
	}
	calm()
	publishes(t, q, lane)
	if s := q.State(); s.Publisher.Session != 1 || s.Consumer.Session != 1 || !s.Publisher.Ready() {
		t.Errorf("state: %+v", s)
	}
}

// Publishing goes on while the broker dies: what was confirmed must be there
// afterwards.
func TestNodeKilledAndStarted(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	publishes(t, q, lane)
	confirmed := map[message.Ref]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for ctx.Err() == nil {
			batch := refs(100)
			for i, err := range q.Publish(ctx, lane, batch) {
				if err == nil {
					confirmed[batch[i]] = true
				}
			}
		}
	})
	command(t, "POSTRIDER_TEST_RABBITMQ_RESTART")
	until(t, "both links", func() bool { return q.State().Publisher.Session > 1 && q.State().Consumer.Session > 1 })
	publishes(t, q, lane)
	cancel()
	publishing.Wait()
	t.Logf("%d copies were confirmed", len(confirmed))
	copies := consuming(t, q, lane)
	for len(confirmed) > 0 {
		delete(confirmed, receive(t, copies).Refs[0])
	}
}

// A handler that takes longer than the broker's consumer_timeout loses its
// channel and its copy, not its consumer.
func TestNodeConsumerTimeout(t *testing.T) {
	const set = "application:set_env(rabbit, consumer_timeout, %s), application:set_env(rabbit, channel_tick_interval, %s)."
	t.Cleanup(func() { command(t, "POSTRIDER_TEST_RABBITMQCTL", "eval", fmt.Sprintf(set, "1800000", "60000")) })
	// Long enough for the second copy, which is acked at once on a busy machine too.
	command(t, "POSTRIDER_TEST_RABBITMQCTL", "eval", fmt.Sprintf(set, "3000", "100"))
	p := newPlace(t)
	q := p.open(t, nil)
	ref := publishes(t, q, lane)
	copies := make(chan message.Copy, 10)
	timedOut := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var consuming sync.WaitGroup
	consuming.Go(func() {
		_ = q.Consume(ctx, lane, func(c message.Copy) message.Verdict {
			copies <- c
			if !c.Redelivered {
				<-timedOut
			}
			return message.VerdictAck
		})
	})
	receive(t, copies)
	until(t, "the broker to take the copy back", func() bool {
		n, err := q.Ready(t.Context(), lane)
		return err == nil && n == 1
	})
	close(timedOut)
	if c := receive(t, copies); c.Refs[0] != ref || !c.Redelivered {
		t.Errorf("got %+v", c)
	}
	cancel()
	consuming.Wait()
	if n, err := q.Ready(t.Context(), lane); n != 0 || err != nil {
		t.Errorf("ready: %d, %v", n, err)
	}
}
