//go:build databasefaults

package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/store"
)

// lifeLease is short, so that what a fault interrupts is taken back soon.
const lifeLease = 3 * time.Second

// life is a whole service on one store: callers who repeat with their key what
// they got no answer to, relays, workers who keep a known 250 until it is
// written, and sweeps. The relay host takes everything.
type life struct {
	t      *testing.T
	s      *store.Store
	copies chan message.Bid
	ctx    context.Context
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	mu          sync.Mutex
	accepted    map[uuid.UUID]string // what callers were told, with their key
	sends       map[uuid.UUID]int
	keys        int
	unavailable atomic.Int64
	quiet       atomic.Bool   // callers send nothing now
	changed     chan struct{} // holds one token when a mail was accepted, or the database found away
}

func live(t *testing.T, url string) *life {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Worker: message.Process{ID: uuid.New()}, Lease: lifeLease})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, s: s, copies: make(chan message.Bid, 100_000), accepted: map[uuid.UUID]string{}, sends: map[uuid.UUID]int{}, changed: make(chan struct{}, 1)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	for range 4 {
		l.loop(l.call)
		l.loop(l.work)
	}
	l.loop(l.relay)
	l.loop(l.relay)
	l.loop(l.sweep)
	t.Cleanup(func() {
		l.stop()
		l.tasks.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *life) loop(step func(context.Context) error) {
	l.tasks.Go(func() {
		for l.ctx.Err() == nil {
			l.judge(step(l.ctx))
			select {
			case <-time.After(5 * time.Millisecond): // leave the others some of the machine
			case <-l.ctx.Done():
			}
		}
	})
}

// judge: whatever happens to a database, no step may blame its request.
func (l *life) judge(err error) {
	switch {
	case err == nil, l.ctx.Err() != nil:
	case errors.Is(err, message.ErrUnavailable):
		l.unavailable.Add(1)
		l.tell()
	default:
		l.t.Error(err)
	}
}

func (l *life) call(ctx context.Context) error {
	if l.quiet.Load() {
		return nil
	}
	l.mu.Lock()
	l.keys++
	key := fmt.Sprint("key ", l.keys)
	l.mu.Unlock()
	for {
		m := mail()
		m.IdempotencyKey = key
		a := l.s.Accept(ctx, []message.Submission{m})[0]
		if a.Err == nil {
			l.mu.Lock()
			l.accepted[a.ID] = key
			l.mu.Unlock()
			l.tell()
			return nil
		}
		if l.judge(a.Err); ctx.Err() != nil {
			return nil
		}
		_ = pause.For(ctx, 20*time.Millisecond) // as a caller would; its only error ends the loop
	}
}

func (l *life) relay(ctx context.Context) error {
	_, _, err := l.s.Dispatch(ctx, message.LaneNormal, 50, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			l.copies <- message.Bid{Ref: ref}
		}
		return make([]error, len(refs))
	})
	return err
}

func (l *life) work(ctx context.Context) error {
	for {
		select {
		case bid := <-l.copies:
			if err := l.deliver(ctx, bid); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (l *life) deliver(ctx context.Context, bid message.Bid) error {
	claims, err := l.s.Claim(ctx, []message.Bid{bid})
	if err != nil {
		l.copies <- bid
		return err
	}
	if claims[0].State != message.ClaimTaken {
		return nil
	}
	held := []message.Held{claims[0].Work.Held}
	var ok []bool
	l.persist(ctx, func() (err error) { ok, err = l.s.Mark(ctx, held); return err })
	if ctx.Err() != nil || len(ok) == 0 || !ok[0] {
		return nil
	}
	l.mu.Lock()
	l.sends[bid.MessageID]++
	l.mu.Unlock()
	l.persist(ctx, func() error {
		return l.s.Record(ctx, []message.Outcome{{Held: held[0], Kind: message.OutcomeSent}})[0]
	})
	return nil
}

func (l *life) persist(ctx context.Context, step func() error) {
	for ctx.Err() == nil {
		err := step()
		if l.judge(err); !errors.Is(err, message.ErrUnavailable) {
			return
		}
		_ = pause.For(ctx, 20*time.Millisecond) // its only error ends the loop
	}
}

func (l *life) sweep(ctx context.Context) error {
	_, err := l.s.SweepLeases(ctx, time.Now(), 100, 0)
	return err
}

func (l *life) tell() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// until waits for what comes of an acceptance, or of a database that is away.
func (l *life) until(what string, done func() bool) {
	l.t.Helper()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-l.changed:
		case <-deadline:
			l.t.Fatalf("waited a minute in vain for %s", what)
		}
	}
}

// awaitTrouble waits until somebody has met the database away.
func (l *life) awaitTrouble() {
	l.t.Helper()
	before := l.unavailable.Load()
	l.until("somebody to meet the database away", func() bool { return l.unavailable.Load() > before })
}

func (l *life) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// awaitMore waits until n more mails were accepted: the store works.
func (l *life) awaitMore(n int) {
	l.t.Helper()
	want := l.count() + n
	l.until(fmt.Sprint(n, " more to be accepted"), func() bool { return l.count() >= want })
}

// lost ends the calls, waits until everything that is left was sent, and
// returns how much of what callers were told is gone.
func (l *life) lost(s *server) int {
	l.t.Helper()
	l.quiet.Store(true)
	s.eventually("all is sent", `SELECT COUNT(*)=0 FROM deliveries WHERE status IN ('queued', 'sending')`)
	l.stop()
	l.tasks.Wait()
	gone := 0
	for id := range l.accepted {
		var n int
		s.ask(&n, `SELECT COUNT(*) FROM deliveries WHERE status='sent' AND message_id='`+id.String()+`'`)
		gone += 1 - n
	}
	var messages int
	s.ask(&messages, `SELECT COUNT(*) FROM messages`)
	if messages > l.keys {
		l.t.Errorf("%d messages of %d keys", messages, l.keys)
	}
	return gone
}

// twice counts mails that were sent more than once.
func (l *life) twice() (n int) {
	for _, sends := range l.sends {
		if sends > 1 {
			n++
		}
	}
	return n
}
