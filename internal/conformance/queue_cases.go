package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

const queueLane = message.LaneNormal

func consumedOnce(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 1)
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	if got := h.ref(t); got != refs[0] {
		t.Errorf("consumed %v, published %v", got, refs[0])
	}
	if h.Redelivered || h.Queue == "" || h.Unreadable != "" {
		t.Errorf("a fresh copy: %+v", h.Copy)
	}
	h.verdict <- message.VerdictAck
	if err := c.ended(t); err != nil {
		t.Errorf("consume: %v", err)
	}
	wantReady(t, b.queue, queueLane, 0)
}

func keepsOrder(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 50)
	c := startConsumer(t, b.queue, queueLane)
	for i, want := range refs {
		if got := c.take(t, message.VerdictAck); got != want {
			t.Fatalf("copy %d is %v, want %v", i, got, want)
		}
	}
}

// With prefetch 1, what one handler sits on is one copy; all the others go to
// the channel that is free.
func doesNotHoard(t *testing.T, b *queueBench) {
	slow := startConsumer(t, b.queue, queueLane)
	b.published(t, queueLane, 1)
	held := slow.next(t)
	refs := b.published(t, queueLane, 20)
	quick := startConsumer(t, b.queue, queueLane)
	for _, want := range refs {
		if got := quick.take(t, message.VerdictAck); got != want {
			t.Fatalf("the free channel got %v, want %v", got, want)
		}
	}
	held.verdict <- message.VerdictAck
}

func lanesAreIndependent(t *testing.T, b *queueBench) {
	b.published(t, message.LaneLow, 5)
	startConsumer(t, b.queue, message.LaneLow).next(t) // and sits on it
	for _, l := range []message.Lane{message.LaneCritical, message.LaneHigh, message.LaneNormal} {
		refs := b.published(t, l, 1)
		if got := startConsumer(t, b.queue, l).take(t, message.VerdictAck); got != refs[0] {
			t.Errorf("lane %s: got %v, want %v", l, got, refs[0])
		}
	}
	wantReady(t, b.queue, message.LaneLow, 4)
}

func unknownLane(t *testing.T, b *queueBench) {
	for _, err := range b.queue.Publish(t.Context(), "no-such-lane", queueRefs(2)) {
		if !errors.Is(err, message.ErrUnroutable) {
			t.Errorf("publish: %v", err)
		}
	}
	if _, err := b.queue.Ready(t.Context(), "no-such-lane"); err == nil {
		t.Error("ready: no error")
	}
	if err := b.queue.Consume(t.Context(), "no-such-lane", newCopyTally().handle); err == nil {
		t.Error("consume: no error")
	}
}

func publishNothing(t *testing.T, b *queueBench) {
	if errs := b.queue.Publish(t.Context(), queueLane, nil); len(errs) != 0 {
		t.Errorf("errors: %v", errs)
	}
}

func readyCounts(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 1) // the place exists now, wherever it is made late
	wantReady(t, b.queue, queueLane, 1)
	b.published(t, queueLane, 6)
	wantReady(t, b.queue, queueLane, 7)
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	wantReady(t, b.queue, queueLane, 6)
	h.verdict <- message.VerdictAck
	c.next(t)
	wantReady(t, b.queue, queueLane, 5)
}

func requeueRedelivers(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 1)
	c := startConsumer(t, b.queue, queueLane)
	c.take(t, message.VerdictRequeue)
	h := c.next(t)
	if h.ref(t) != refs[0] || !h.Redelivered {
		t.Errorf("came back as %+v, want %v redelivered", h.Copy, refs[0])
	}
	h.verdict <- message.VerdictAck
	if err := c.ended(t); err != nil {
		t.Errorf("consume: %v", err)
	}
	wantReady(t, b.queue, queueLane, 0)
}

func rejectRemoves(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 2)
	c := startConsumer(t, b.queue, queueLane)
	c.take(t, message.VerdictReject)
	if got := c.take(t, message.VerdictAck); got != refs[1] {
		t.Errorf("after the rejected copy came %v, want %v", got, refs[1])
	}
	if err := c.ended(t); err != nil {
		t.Errorf("consume: %v", err)
	}
	wantReady(t, b.queue, queueLane, 0)
}

func survivesPanic(t *testing.T, b *queueBench) {
	faulty(t, b, func() message.Verdict { panic("a bug in the handler") })
}

func survivesNoVerdict(t *testing.T, b *queueBench) {
	faulty(t, b, func() message.Verdict { return 0 })
}

// faulty has the first copy fail twice: it comes back once, redelivered, is
// then rejected, and the copy behind it is handled by the same consumer.
func faulty(t *testing.T, b *queueBench, fail func() message.Verdict) {
	refs := b.published(t, queueLane, 2)
	seen := make(chan message.Copy, 10)
	runConsumers(t, b.queue, queueLane, 1, func(c message.Copy) message.Verdict {
		seen <- c
		if len(c.Refs) == 1 && c.Refs[0] == refs[0] {
			return fail()
		}
		return message.VerdictAck
	})
	var redelivered, others int
	for range 3 {
		switch c := waitFor(t, seen, "a copy"); {
		case c.Refs[0] == refs[1]:
			others++
		case c.Redelivered:
			redelivered++
		}
	}
	if redelivered != 1 || others != 1 {
		t.Errorf("the faulty copy came back %d times, the other came %d times", redelivered, others)
	}
	becomesReady(t, b.queue, queueLane, 0)
}

func endSettles(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 3)
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	c.end()
	h.verdict <- message.VerdictAck
	if err := c.ended(t); err != nil {
		t.Errorf("consume: %v", err)
	}
	becomesReady(t, b.queue, queueLane, 2)
}

func endedTakesNothing(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := newCopyTally()
	if err := b.queue.Consume(ctx, queueLane, n.handle); err != nil {
		t.Errorf("consume: %v", err)
	}
	if len(n.total) != 0 {
		t.Errorf("%d copies were handled", len(n.total))
	}
	becomesReady(t, b.queue, queueLane, 3)
}

func stopWaits(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 1)
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	stopped := make(chan error, 1)
	go func() { stopped <- b.queue.Stop(t.Context()) }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a copy in hand: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	h.verdict <- message.VerdictAck
	if err := waitFor(t, stopped, "Stop to return"); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := b.queue.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func stopIsBounded(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 1)
	startConsumer(t, b.queue, queueLane).next(t) // never decides
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- b.queue.Stop(ctx) }()
	if err := waitFor(t, stopped, "Stop to return"); err == nil {
		t.Error("stop: no error, and a handler is still at work")
	}
}

func stoppedIsUnavailable(t *testing.T, b *queueBench) {
	if err := b.queue.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
	for _, err := range b.queue.Publish(t.Context(), queueLane, queueRefs(2)) {
		if !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("publish: %v", err)
		}
	}
	if err := b.queue.Consume(t.Context(), queueLane, newCopyTally().handle); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("consume: %v", err)
	}
}

func manyChannels(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 1000)
	n := newCopyTally()
	stop := runConsumers(t, b.queue, queueLane, 16, n.handle)
	for range refs {
		waitFor(t, n.total, "a copy")
	}
	stop()
	for _, ref := range refs {
		if n.count(ref) != 1 {
			t.Errorf("%v was handled %d times", ref, n.count(ref))
		}
	}
	wantReady(t, b.queue, queueLane, 0)
}

func fullRefuses(t *testing.T, b *queueBench) {
	refs := queueRefs(b.traits.Capacity + 3)
	for i, err := range b.queue.Publish(t.Context(), queueLane, refs) {
		if full := errors.Is(err, message.ErrQueueFull); full != (i >= b.traits.Capacity) {
			t.Fatalf("ref %d: %v", i, err)
		}
	}
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	if err := b.queue.Publish(t.Context(), queueLane, queueRefs(1))[0]; !errors.Is(err, message.ErrQueueFull) {
		t.Errorf("a copy in hand counts no more: %v", err)
	}
	h.verdict <- message.VerdictAck
	c.next(t) // so the first is settled
	if err := b.queue.Publish(t.Context(), queueLane, queueRefs(1))[0]; err != nil {
		t.Errorf("there is room again: %v", err)
	}
}
