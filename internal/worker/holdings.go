package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// holding is one claim in hand.
type holding struct {
	message.Held
	ctx      context.Context
	cancel   context.CancelCauseFunc
	markedAt time.Time // where the claim was the mark: when it was asked for, by this process's clock
	past     bool      // the sender was let past the mark: a dot may be written. Read once Send has returned

	mu    sync.Mutex
	asked bool // a mark was asked for: it may stand even if the answer was lost
}

func (h *holding) lost() bool    { return errors.Is(context.Cause(h.ctx), errClaimLost) }
func (h *holding) stopped() bool { return errors.Is(context.Cause(h.ctx), errStopping) }

// ask notes that a mark is asked for.
func (h *holding) ask() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = true
}

func (h *holding) hasAsked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// lose breaks the try off unless a mark was asked for.
func (h *holding) lose() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.asked {
		h.cancel(errClaimLost)
	}
}

// pass is ask where the claim was the mark and the database is not asked: a stop,
// or a renewal that found the claim gone, must have its say here. One that comes
// later comes after the mark.
func (h *holding) pass() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.lost():
		return message.ErrMarkRefused
	case h.ctx.Err() != nil:
		return context.Cause(h.ctx)
	}
	h.asked = true
	return nil
}

// holdings are the claims of this process, whose leases are renewed together.
type holdings struct {
	mu  sync.Mutex
	set map[*holding]struct{}
}

func newHoldings() *holdings { return &holdings{set: map[*holding]struct{}{}} }

func (s *holdings) add(parent context.Context, held message.Held) *holding {
	h := &holding{Held: held}
	h.ctx, h.cancel = context.WithCancelCause(parent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[h] = struct{}{}
	return h
}

func (s *holdings) remove(h *holding) {
	s.mu.Lock()
	delete(s.set, h)
	s.mu.Unlock()
	h.cancel(nil)
}

func (s *holdings) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.set)
}

func (s *holdings) snapshot() ([]*holding, []message.Held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*holding, 0, len(s.set))
	held := make([]message.Held, 0, len(s.set))
	for h := range s.set {
		list = append(list, h)
		held = append(held, h.Held)
	}
	return list, held
}

// renewLoop renews all leases of this process every quarter of a lease, and soon
// again where that failed: the sweep gives holders half a lease after the
// database was away, and a renewal that hangs takes a quarter.
func (w *Worker) renewLoop(ctx context.Context) {
	wait := w.cfg.Lease / 4
	for pause.For(ctx, wait) == nil {
		wait = w.cfg.Lease / 4
		if !w.renew(ctx) {
			wait = w.cfg.Lease / 10
		}
	}
}

// renew tells holders that have not marked and whose claim is gone to break
// off. One that has asked for its mark goes on: the mark's answer decides, and
// past it the outcome is a fact to be recorded. It reports whether the database
// answered.
func (w *Worker) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Lease/4)
	defer cancel()
	list, held := w.held.snapshot()
	renewed, err := w.cfg.Store.Renew(ctx, held)
	if err != nil {
		w.log.Warn("leases not renewed", "held", len(held), "error", err)
		return false
	}
	for i, h := range list {
		if !renewed[i] {
			h.lose()
		}
	}
	return true
}
