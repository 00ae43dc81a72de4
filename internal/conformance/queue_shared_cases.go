package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

func outlivesProcess(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 10)
	if err := b.queue.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
	c := startConsumer(t, b.Open(t), queueLane)
	for _, want := range refs {
		if got := c.take(t, message.VerdictAck); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func sharesWork(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 300)
	n := newCopyTally()
	stop := runConsumers(t, b.queue, queueLane, 2, n.handle)
	stopOther := runConsumers(t, b.Open(t), queueLane, 2, n.handle)
	for range refs {
		waitFor(t, n.total, "a copy")
	}
	stop()
	stopOther()
	for _, ref := range refs {
		if n.count(ref) != 1 {
			t.Errorf("%v was handled %d times", ref, n.count(ref))
		}
	}
}

func deadLettered(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 1)
	c := startConsumer(t, b.queue, queueLane)
	h := c.next(t)
	h.verdict <- message.VerdictReject
	var dead []DeadLetter
	waitUntil(t, "a dead letter", func() bool {
		dead = append(dead, b.DeadLetters(t)...)
		return len(dead) > 0
	}, func() any { return dead })
	if d := dead[0]; d.Queue != h.Queue || d.Reason != "rejected" || !strings.Contains(d.Body, refs[0].MessageID.String()) {
		t.Errorf("dead letter %+v, rejected from %s: %v", d, h.Queue, refs[0])
	}
}

func bodies(t *testing.T, b *queueBench) {
	ref := queueRefs(1)[0]
	id := ref.MessageID.String()
	item := fmt.Sprintf(`["%s",%d,%d]`, id, ref.N, ref.Dispatch)
	many := strings.TrimSuffix(strings.Repeat(item+",", 40), ",")
	cases := []struct {
		name, body string
		refs       int
	}{
		{"one item", `{"items":[` + item + `]}`, 1},
		{"unknown field", `{"later":{"x":[1]},"items":[` + item + `],"v":2}`, 1},
		{"item with more than three parts", `{"items":[["` + id + `",0,1,"later",{}]]}`, 1},
		{"parcel", `{"items":[` + many + `]}`, 40},
		{"one bad item among good ones", `{"items":[["x",0,1],` + item + `,7]}`, 1},
		{"empty", ``, 0},
		{"not JSON", `hello`, 0},
		{"no items", `{"things":[` + item + `]}`, 0},
		{"empty items", `{"items":[]}`, 0},
		{"bad id", `{"items":[["x",0,1]]}`, 0},
		{"item too short", `{"items":[["` + id + `",0]]}`, 0},
		{"number out of range", `{"items":[["` + id + `",70000,1]]}`, 0},
		{"negative dispatch", `{"items":[["` + id + `",0,-1]]}`, 0},
		{"deep", strings.Repeat(`[`, 20_000), 0},
		{"not UTF-8", "{\"items\":[[\"\xff\xfe\",0,1]]}", 0},
		{"too large", `{"items":[` + item + `],"pad":"` + strings.Repeat("x", 80<<10) + `"}`, 0},
	}
	c := startConsumer(t, b.queue, queueLane)
	b.published(t, queueLane, 1) // so there is a queue to inject into
	c.take(t, message.VerdictAck)
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			b.Inject(t, queueLane, test.body)
			h := c.next(t)
			h.verdict <- message.VerdictAck
			if len(h.Refs) != test.refs || (h.Unreadable == "") != (test.refs > 0) {
				t.Errorf("%d refs, unreadable %q; want %d refs", len(h.Refs), h.Unreadable, test.refs)
			}
			if kept := min(len(test.body), 64<<10); string(h.Body) != test.body[:kept] {
				t.Errorf("%d bytes of the body were kept, want %d", len(h.Body), kept)
			}
		})
	}
}

// A copy that went with its queue is the business of the sweep. The queue's
// own is that publishers and consumers need no restart.
func deletedQueue(t *testing.T, b *queueBench) {
	c := startConsumer(t, b.queue, queueLane)
	b.published(t, queueLane, 1)
	c.take(t, message.VerdictAck)
	b.Delete(t, queueLane)
	refs := b.published(t, queueLane, 1)
	if got := c.take(t, message.VerdictAck); got != refs[0] {
		t.Errorf("got %v, want %v", got, refs[0])
	}
}

func purgedQueue(t *testing.T, b *queueBench) {
	b.published(t, queueLane, 20)
	b.Purge(t, queueLane)
	becomesReady(t, b.queue, queueLane, 0)
	refs := b.published(t, queueLane, 1)
	if got := startConsumer(t, b.queue, queueLane).take(t, message.VerdictAck); got != refs[0] {
		t.Errorf("got %v, want %v", got, refs[0])
	}
}

func resumes(t *testing.T, b *queueBench) {
	c := startConsumer(t, b.queue, queueLane)
	for range 3 {
		refs := b.published(t, queueLane, 1)
		for c.take(t, message.VerdictAck) != refs[0] {
			t.Log("a copy came again whose verdict the cut has swallowed")
		}
		b.Cut(t)
	}
	if err := c.ended(t); err != nil {
		t.Errorf("consume: %v", err)
	}
}

// The copy in hand goes back to the broker when the session is cut. Its late
// verdict must then hit nothing: least of all the copy that has its delivery
// tag in the session that follows.
func staleVerdict(t *testing.T, b *queueBench) {
	refs := b.published(t, queueLane, 3)
	stale := startConsumer(t, b.queue, queueLane)
	held := stale.next(t)
	b.Cut(t)
	becomesReady(t, b.queue, queueLane, len(refs)) // else the next free copy is the second
	other := startConsumer(t, b.queue, queueLane)
	again := other.next(t)
	if again.ref(t) != refs[0] || !again.Redelivered {
		t.Errorf("the copy came back as %+v, want %v redelivered", again.Copy, refs[0])
	}
	held.verdict <- message.VerdictAck
	// The first consumer is back when it has the next copy: its stale verdict
	// is behind it. Neither copy in hand may be gone now.
	next := stale.next(t)
	b.Cut(t)
	after := map[message.Ref]bool{}
	fresh := startConsumer(t, b.Open(t), queueLane)
	again.verdict <- message.VerdictAck
	next.verdict <- message.VerdictAck
	for range 3 {
		select {
		case h := <-fresh.copies:
			after[h.ref(t)] = true
			h.verdict <- message.VerdictAck
		case h := <-stale.copies:
			after[h.ref(t)] = true
			h.verdict <- message.VerdictAck
		case h := <-other.copies:
			after[h.ref(t)] = true
			h.verdict <- message.VerdictAck
		}
	}
	if len(after) != 3 {
		t.Errorf("%d of 3 copies are still there after the second cut", len(after))
	}
}

func confirmedSurvives(t *testing.T, b *queueBench) {
	n := newCopyTally()
	runConsumers(t, b.queue, queueLane, 4, n.handle)
	var confirmed []message.Ref
	var publishing sync.WaitGroup
	ctx, done := context.WithCancel(t.Context())
	publishing.Go(func() {
		for ctx.Err() == nil {
			refs := queueRefs(200)
			for i, err := range b.queue.Publish(ctx, queueLane, refs) {
				if err == nil {
					confirmed = append(confirmed, refs[i])
				}
			}
		}
	})
	for range 5 {
		waitFor(t, n.total, "a copy")
		b.Cut(t)
	}
	done()
	publishing.Wait()
	for _, ref := range confirmed {
		waitUntil(t, "a confirmed copy", func() bool { return n.count(ref) > 0 }, func() any { return ref })
	}
	t.Logf("%d copies were confirmed", len(confirmed))
}
