package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/rabbitmq"
	"github.com/postrider/postrider/test/rig"
)

const lane = message.LaneNormal

// publishes waits until the queue takes a copy, and returns its ref.
func publishes(t testing.TB, q *rabbitmq.Queue, lane message.Lane) message.Ref {
	t.Helper()
	ref := refs(1)
	until(t, "a publish to succeed", func() bool { return q.Publish(t.Context(), lane, ref)[0] == nil })
	return ref[0]
}

// consuming starts a consumer that acks everything and tells about it.
func consuming(t testing.TB, q *rabbitmq.Queue, lane message.Lane) <-chan message.Copy {
	t.Helper()
	copies := make(chan message.Copy, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			err := q.Consume(ctx, lane, func(c message.Copy) message.Verdict {
				copies <- c
				return message.VerdictAck
			})
			if err != nil {
				t.Logf("consume: %v", err)
				_ = pause.For(ctx, time.Second)
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return copies
}

func receive(t testing.TB, copies <-chan message.Copy) message.Copy {
	t.Helper()
	select {
	case c := <-copies:
		return c
	case <-time.After(patience):
		t.Fatal("waited in vain for a copy")
		panic("unreachable")
	}
}

func TestQueueOfOtherMakeIsNamedAndHeals(t *testing.T) {
	p := newPlace(t)
	p.direct(t, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(queueName(lane), true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 3})
		return err
	})
	q := p.open(t, nil)
	connected(t, q)
	for _, state := range []rabbitmq.LinkState{q.State().Publisher, q.State().Consumer} {
		if state.Ready() || len(state.Faults) != 1 || !strings.Contains(state.Faults[0], queueName(lane)) {
			t.Errorf("state: %+v", state)
		}
	}
	err := q.Publish(t.Context(), lane, refs(1))[0]
	var fault *rabbitmq.TopologyError
	if !errors.Is(err, message.ErrUnavailable) || !errors.As(err, &fault) {
		t.Fatalf("publish: %v", err)
	}
	if fault.Name != queueName(lane) || !strings.Contains(fault.Reason, "x-") || !strings.Contains(fault.Remedy, "delete") {
		t.Errorf("fault: %+v", fault)
	}
	err = q.Consume(t.Context(), lane, func(message.Copy) message.Verdict { return message.VerdictAck })
	if !errors.As(err, &fault) {
		t.Errorf("consume: %v", err)
	}
	publishes(t, q, message.LaneHigh) // the others are well

	p.call(t, "DELETE", "/api/queues/"+p.vhost+"/"+queueName(lane), nil, nil)
	publishes(t, q, lane)
	until(t, "the state to be ready", func() bool { return q.State().Publisher.Ready() && q.State().Consumer.Ready() })
}

func TestDeadLetterQueueOfOtherMakeKeepsNoMailBack(t *testing.T) {
	p := newPlace(t)
	p.direct(t, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare("postrider.dead", true, false, false, false, amqp.Table{"x-queue-type": "classic"})
		return err
	})
	q := p.open(t, nil)
	connected(t, q)
	if faults := q.State().Publisher.Faults; len(faults) != 1 || !strings.Contains(faults[0], "postrider.dead") {
		t.Errorf("faults: %v", faults)
	}
	publishes(t, q, lane)
	receive(t, consuming(t, q, lane))
}

func TestUnboundQueueIsUnroutableThenBoundAgain(t *testing.T) {
	for _, window := range []int{1, 3, 500} {
		t.Run(fmt.Sprint("window ", window), func(t *testing.T) {
			p := newPlace(t)
			q := p.open(t, func(c *rabbitmq.Config) { c.Window = window })
			publishes(t, q, lane)
			p.direct(t, func(ch *amqp.Channel) error {
				return ch.QueueUnbind(queueName(lane), "email."+string(lane), "postrider", nil)
			})
			for i, err := range q.Publish(t.Context(), lane, refs(50)) {
				if !errors.Is(err, message.ErrUnroutable) {
					t.Fatalf("ref %d: %v", i, err)
				}
			}
			publishes(t, q, lane)
			if n, err := q.Ready(t.Context(), lane); n != 2 || err != nil {
				t.Errorf("ready: %d, %v", n, err)
			}
		})
	}
}

func TestDeletedExchangeIsMadeAgain(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	publishes(t, q, lane)
	p.call(t, "DELETE", "/api/exchanges/"+p.vhost+"/postrider", nil, nil)
	if err := q.Publish(t.Context(), lane, refs(1))[0]; err == nil {
		t.Error("published without an exchange")
	}
	publishes(t, q, lane)
}

// The race that idleRenewal is there for: sometimes the consumer is cancelled,
// sometimes it is carried over to the new queue and gets nothing from it.
func TestConsumerOutlivesQueueMadeAgainAtOnce(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	q.SetIdleRenewal(time.Second)
	copies := consuming(t, q, lane)
	for range 3 {
		publishes(t, q, lane)
		receive(t, copies)
		p.call(t, "DELETE", "/api/queues/"+p.vhost+"/"+queueName(lane), nil, nil)
		other := p.open(t, nil) // declares at once
		connected(t, other)
		ref := publishes(t, other, lane)
		for c := receive(t, copies); c.Refs[0] != ref; c = receive(t, copies) {
			t.Logf("again: %+v", c)
		}
	}
}

func TestIdleConsumerStillConsumes(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	q.SetIdleRenewal(20 * time.Millisecond)
	copies := consuming(t, q, lane)
	for range 30 {
		ref := publishes(t, q, lane)
		if c := receive(t, copies); c.Refs[0] != ref {
			t.Fatalf("got %+v, want %v", c, ref)
		}
		time.Sleep(10 * time.Millisecond) // the renewal's time is what is tested
	}
}

func TestFullQueueRefuses(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	publishes(t, q, lane)
	p.call(t, "PUT", "/api/policies/"+p.vhost+"/full", map[string]any{
		"pattern": "^postrider\\.email", "apply-to": "queues", "definition": map[string]any{"max-length": 5},
	}, nil)
	until(t, "the policy to refuse", func() bool {
		return errors.Is(q.Publish(t.Context(), lane, refs(20))[19], message.ErrNotConfirmed)
	})
	p.call(t, "DELETE", "/api/policies/"+p.vhost+"/full", nil, nil)
	publishes(t, q, lane)
	if s := q.State().Publisher; s.Session != 1 {
		t.Errorf("a refusal cost the session: %+v", s)
	}
}

// A copy whose consumers die comes back until the delivery limit. The test dies
// by closing channels, which counts in every version; from 4.3 on, what is
// given back by a nack does not.
func TestPoisonEndsInTheDeadLetterQueue(t *testing.T) {
	p := newPlace(t)
	publishes(t, p.open(t, nil), lane)
	deliveries := 0
	var letters []conformance.DeadLetter
	until(t, "a dead letter", func() bool {
		p.direct(t, func(ch *amqp.Channel) error {
			_, ok, err := ch.Get(queueName(lane), false)
			if ok {
				deliveries++
			}
			return err
		})
		letters = append(letters, p.deadLetters(t)...)
		return len(letters) > 0
	})
	if letters[0].Reason != "delivery_limit" || deliveries != 21 {
		t.Errorf("%+v after %d deliveries", letters[0], deliveries)
	}
}

func TestSeveralURLsFirstDead(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs = []string{"amqp://guest:guest@127.0.0.1:1/", p.url} })
	connected(t, q)
	publishes(t, q, lane)
	if s := q.State().Publisher; strings.HasSuffix(s.Server, ":1") || s.LastError != "" {
		t.Errorf("state: %+v", s)
	}
}

func TestBrokerAwayAtStart(t *testing.T) {
	p := newPlace(t)
	address, err := rig.FreeAddress() // which no outgoing connection takes before the broker is there
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(p.url)
	broker := u.Host
	u.Host = address
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs = []string{u.String()} })
	copies := consuming(t, q, lane)
	began := time.Now()
	if err := q.Publish(t.Context(), lane, refs(1))[0]; !errors.Is(err, message.ErrUnavailable) || time.Since(began) > 5*time.Second {
		t.Errorf("publish: %v after %v", err, time.Since(began))
	}
	if s := q.State().Publisher; s.Connected || !strings.Contains(s.LastError, "refused") || s.Since.IsZero() {
		t.Errorf("state: %+v", s)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	forward(t, listener, broker)
	ref := publishes(t, q, lane)
	if c := receive(t, copies); c.Refs[0] != ref {
		t.Errorf("got %+v", c)
	}
}

func TestHalfOpenConnectionIsFound(t *testing.T) {
	p := newPlace(t)
	network, through := p.through(t)
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs, c.Heartbeat = []string{through}, time.Second })
	copies := consuming(t, q, lane)
	publishes(t, q, lane)
	receive(t, copies)
	connected(t, q)
	network.freeze()
	// Either side gives a connection up that is silent for two or three heartbeats: here in
	// some seconds, with the usual heartbeat in 20 at the soonest, with none never.
	const soon = 15 * time.Second
	began := time.Now()
	if err := q.Publish(t.Context(), lane, refs(1))[0]; err == nil {
		t.Error("confirmed by nobody")
	}
	if took := time.Since(began); took > soon {
		t.Errorf("publish took %v", took)
	}
	ref := publishes(t, q, lane)
	for c := receive(t, copies); c.Refs[0] != ref; c = receive(t, copies) {
		t.Logf("before it came %+v", c)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("recovered after %v", took)
	}
}

func TestConnectionsClosedByTheBroker(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, nil)
	copies := consuming(t, q, lane)
	publishes(t, q, lane)
	receive(t, copies)
	p.closeConnections(t, 2)
	until(t, "new sessions", func() bool { return q.State().Publisher.Session > 1 && q.State().Consumer.Session > 1 })
	ref := publishes(t, q, lane)
	if c := receive(t, copies); c.Refs[0] != ref {
		t.Errorf("got %+v", c)
	}
}

// user makes a user of the broker with this password.
func (p *place) user(t testing.TB, name, password string) {
	t.Helper()
	p.call(t, "PUT", "/api/users/"+name, map[string]string{"password": password, "tags": ""}, nil)
	t.Cleanup(func() { p.call(t, "DELETE", "/api/users/"+name, nil, nil) })
}

func (p *place) permit(t testing.TB, user, pattern string) {
	t.Helper()
	p.call(t, "PUT", "/api/permissions/"+p.vhost+"/"+user, map[string]string{"configure": pattern, "write": pattern, "read": pattern}, nil)
}

func TestWrongPasswordIsToldWithoutIt(t *testing.T) {
	p := newPlace(t)
	name, right, wrong := p.vhost, "right-p@ss", "wrong-p%40ss"
	p.user(t, name, right)
	p.permit(t, name, ".*")
	u, _ := url.Parse(p.url)
	u.User = url.UserPassword(name, wrong)
	var log lockedBuffer
	q := p.open(t, func(c *rabbitmq.Config) {
		c.URLs = []string{u.String()}
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	until(t, "a refusal", func() bool { return strings.Contains(q.State().Publisher.LastError, "403") })
	err := q.Publish(t.Context(), lane, refs(1))[0]
	for where, text := range map[string]string{"state": q.State().Publisher.LastError, "error": fmt.Sprint(err), "log": log.String()} {
		if strings.Contains(text, "wrong-p") || text == "" {
			t.Errorf("%s: %s", where, text)
		}
	}
	p.user(t, name, wrong)
	publishes(t, q, lane)
}

func TestPermissionsTakenAwayAndGivenBack(t *testing.T) {
	p := newPlace(t)
	name := p.vhost
	p.user(t, name, "secret")
	p.permit(t, name, "^postrider")
	u, _ := url.Parse(p.url)
	u.User = url.UserPassword(name, "secret")
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs = []string{u.String()} })
	copies := consuming(t, q, lane)
	publishes(t, q, lane)
	receive(t, copies)
	p.permit(t, name, "^nothing$")
	p.closeConnections(t, 2) // the broker asks once per channel only
	until(t, "a fault", func() bool {
		return q.Publish(t.Context(), lane, refs(1))[0] != nil && len(q.State().Publisher.Faults) > 0
	})
	if fault := q.State().Publisher.Faults[0]; !strings.Contains(fault, "permission") {
		t.Errorf("fault: %s", fault)
	}
	p.permit(t, name, "^postrider")
	ref := publishes(t, q, lane)
	for c := receive(t, copies); c.Refs[0] != ref; c = receive(t, copies) {
		t.Logf("before it came %+v", c)
	}
}

// lockedBuffer is written by loggers and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
