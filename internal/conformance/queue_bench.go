package conformance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
)

// queuePatience is how long a case waits for something that has to happen. Reaching
// it is a failure.
const queuePatience = 2 * time.Minute

// queueBench is what a case works with: a fresh place and one instance on it.
type queueBench struct {
	QueueFixture
	traits QueueTraits
	queue  QueuePorts
}

func newQueueBench(t *testing.T, e QueueEnrolment) *queueBench {
	fixture := e.New(t)
	return &queueBench{QueueFixture: fixture, traits: e.Traits, queue: fixture.Open(t)}
}

// queueRefs returns n refs of different messages.
func queueRefs(n int) []message.Ref {
	refs := make([]message.Ref, n)
	for i := range refs {
		refs[i] = message.Ref{Key: message.Key{MessageID: uuid.Must(uuid.NewV7()), N: int16(i % 50)}, Dispatch: int32(i + 1)}
	}
	return refs
}

// publishAll has every ref confirmed, trying again while the queue is away.
func publishAll(t *testing.T, q QueuePorts, lane message.Lane, refs []message.Ref) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), queuePatience)
	defer cancel()
	for len(refs) > 0 {
		var rest []message.Ref
		var last error
		for i, err := range q.Publish(ctx, lane, refs) {
			if err != nil {
				rest, last = append(rest, refs[i]), err
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("publish: %d refs still not confirmed: %v", len(rest), last)
		}
		refs = rest
	}
}

// published makes n copies on the lane and returns their refs.
func (b *queueBench) published(t *testing.T, lane message.Lane, n int) []message.Ref {
	t.Helper()
	refs := queueRefs(n)
	publishAll(t, b.queue, lane, refs)
	return refs
}

// wantReady fails unless the lane has exactly n copies that wait.
func wantReady(t *testing.T, q QueuePorts, lane message.Lane, n int) {
	t.Helper()
	got, err := q.Ready(t.Context(), lane)
	if err != nil || got != n {
		t.Fatalf("ready on %s: %d, %v; want %d", lane, got, err, n)
	}
}

// becomesReady waits until the lane has n copies that wait.
func becomesReady(t *testing.T, q QueuePorts, lane message.Lane, n int) {
	t.Helper()
	var got int
	var err error
	waitUntil(t, "the lane to be counted", func() bool {
		got, err = q.Ready(t.Context(), lane)
		return err == nil && got == n
	}, func() any { return []any{got, err} })
}

// waitUntil polls what another process decides.
func waitUntil(t *testing.T, what string, done func() bool, last func() any) {
	t.Helper()
	deadline := time.After(queuePatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s; last seen: %v", what, last())
		}
	}
}

// waitFor returns the next value of the channel.
func waitFor[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(queuePatience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// copyInHand is a copy in the hands of a case: it decides by sending a verdict.
type copyInHand struct {
	message.Copy
	verdict chan<- message.Verdict
}

func (h copyInHand) ref(t *testing.T) message.Ref {
	t.Helper()
	if len(h.Refs) != 1 {
		t.Fatalf("copy with %d refs (%s)", len(h.Refs), h.Unreadable)
	}
	return h.Refs[0]
}

// queueConsumer is one running Consume whose copies the case handles itself.
type queueConsumer struct {
	copies chan copyInHand
	end    context.CancelFunc
	result chan error
}

// startConsumer starts a consumer. It is ended when the case ends; copies that
// nobody took by then are given back.
func startConsumer(t *testing.T, q QueuePorts, lane message.Lane) *queueConsumer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &queueConsumer{copies: make(chan copyInHand), end: cancel, result: make(chan error, 1)}
	over := make(chan struct{})
	handle := func(m message.Copy) message.Verdict {
		verdict := make(chan message.Verdict, 1)
		select {
		case c.copies <- copyInHand{m, verdict}:
		case <-over:
			return message.VerdictRequeue
		}
		select {
		case v := <-verdict:
			return v
		case <-over:
			return message.VerdictRequeue
		}
	}
	go func() { c.result <- q.Consume(ctx, lane, handle) }()
	t.Cleanup(func() {
		cancel()
		close(over)
		select {
		case err := <-c.result:
			if err != nil && !errors.Is(err, message.ErrUnavailable) {
				t.Errorf("consume: %v", err)
			}
		case <-time.After(queuePatience):
			t.Error("a consumer did not end")
		}
	})
	return c
}

// next returns the next copy the consumer is given.
func (c *queueConsumer) next(t *testing.T) copyInHand {
	t.Helper()
	return waitFor(t, c.copies, "a copy")
}

// take answers the next copy and returns its ref.
func (c *queueConsumer) take(t *testing.T, v message.Verdict) message.Ref {
	t.Helper()
	h := c.next(t)
	h.verdict <- v
	return h.ref(t)
}

// ended ends the consumer and returns what Consume returned.
func (c *queueConsumer) ended(t *testing.T) error {
	t.Helper()
	c.end()
	err := waitFor(t, c.result, "Consume to return")
	c.result <- err // the cleanup wants it too
	return err
}

// copyTally counts how often each ref was handled.
type copyTally struct {
	mu    sync.Mutex
	seen  map[message.Ref]int
	total chan struct{} // one signal per copy
}

func newCopyTally() *copyTally {
	return &copyTally{seen: map[message.Ref]int{}, total: make(chan struct{}, 100_000)}
}

func (n *copyTally) handle(c message.Copy) message.Verdict {
	n.mu.Lock()
	for _, ref := range c.Refs {
		n.seen[ref]++
	}
	n.mu.Unlock()
	n.total <- struct{}{}
	return message.VerdictAck
}

func (n *copyTally) count(ref message.Ref) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen[ref]
}

// runConsumers consumes with the handler on so many channels until the case ends or the
// returned function is called.
func runConsumers(t *testing.T, q QueuePorts, lane message.Lane, channels int, handle func(message.Copy) message.Verdict) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range channels {
		all.Go(func() {
			if err := q.Consume(ctx, lane, handle); err != nil && !errors.Is(err, message.ErrUnavailable) {
				t.Errorf("consume: %v", err)
			}
		})
	}
	stop = func() { cancel(); all.Wait() }
	t.Cleanup(stop)
	return stop
}
