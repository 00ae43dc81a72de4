package accept

import (
	"context"
	"slices"
	"sync"
)

// turns lets only so many work at once: of one tenant fewer than of all together, so
// that no tenant has them all. A turn that is given back goes to the tenant that has the
// fewest, among those to who has waited longest. Safe for concurrent use.
type turns struct {
	all, each int

	mu      sync.Mutex
	taken   int
	of      map[int64]int // taken by the tenant; absent: 0
	waiting []*waiter     // in the order in which they came
}

type waiter struct {
	tenant int64
	turn   chan struct{} // closed when it is this one's turn
}

func newTurns(all, each int) *turns {
	return &turns{all: all, each: each, of: map[int64]int{}}
}

// take waits for a turn, which leave gives back. Its error is that of ctx, which ended
// before.
func (t *turns) take(ctx context.Context, tenant int64) error {
	w := t.enter(tenant)
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		t.withdraw(w)
		return ctx.Err()
	}
}

func (t *turns) enter(tenant int64) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &waiter{tenant, make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.pass()
	return w
}

// withdraw is for one who waits no longer. It may have become his turn meanwhile.
func (t *turns) withdraw(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return
	}
	t.giveBack(w.tenant)
}

// leave ends a turn of the tenant's.
func (t *turns) leave(tenant int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(tenant)
}

func (t *turns) giveBack(tenant int64) {
	t.taken--
	if t.of[tenant]--; t.of[tenant] == 0 {
		delete(t.of, tenant)
	}
	t.pass()
}

// pass gives the turns that are free to those who wait and may have one.
func (t *turns) pass() {
	for t.taken < t.all {
		i := t.next()
		if i < 0 {
			return
		}
		w := t.waiting[i]
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.taken++
		t.of[w.tenant]++
		close(w.turn)
	}
}

// next is whose turn it is of those who wait; -1: nobody's.
func (t *turns) next() int {
	found, fewest := -1, t.each
	for i, w := range t.waiting {
		if n := t.of[w.tenant]; n < fewest {
			found, fewest = i, n
		}
	}
	return found
}
