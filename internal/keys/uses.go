package keys

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	useKept  = time.Minute      // a key's use is written that often
	useEvery = 10 * time.Second // and all that came together as often as this
)

// uses writes which keys were used, apart from the requests that use them.
type uses struct {
	finder Finder
	log    *slog.Logger

	mu      sync.Mutex
	noted   map[uuid.UUID]time.Time // when a key's use was last noted
	waiting map[uuid.UUID]message.KeyUse
	running bool

	ctx    context.Context // of the writing; ends when stop runs out of time
	cancel context.CancelFunc
	end    chan struct{} // closed by stop
	done   chan struct{} // closed when nothing runs any more
	once   sync.Once
}

func newUses(f Finder, log *slog.Logger) *uses {
	ctx, cancel := context.WithCancel(context.Background())
	return &uses{
		finder: f, log: log, noted: map[uuid.UUID]time.Time{}, waiting: map[uuid.UUID]message.KeyUse{},
		ctx: ctx, cancel: cancel, end: make(chan struct{}), done: make(chan struct{}),
	}
}

// note takes a use to be written later.
func (u *uses) note(g *message.Grant) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if last, ok := u.noted[g.KeyID]; ok && now.Sub(last) < useKept {
		return
	}
	if len(u.noted) >= mostKnown {
		clear(u.noted) // the database keeps to the minute by itself
	}
	u.noted[g.KeyID] = now
	u.waiting[g.KeyID] = message.KeyUse{TenantID: g.TenantID, KeyID: g.KeyID}
}

func (u *uses) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.running {
		return
	}
	u.running = true
	go u.run()
}

func (u *uses) run() {
	defer close(u.done)
	ticker := time.NewTicker(useEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			u.write()
		case <-u.end:
			u.write()
			return
		}
	}
}

// write writes what waits. What cannot be written waits for the next time.
func (u *uses) write() {
	u.mu.Lock()
	waiting := u.waiting
	u.waiting = map[uuid.UUID]message.KeyUse{}
	u.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	list := make([]message.KeyUse, 0, len(waiting))
	for _, use := range waiting {
		list = append(list, use)
	}
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	if err := u.finder.UseKeys(ctx, list); err != nil {
		u.log.Warn("the use of keys was not noted", "error", err)
		u.keep(waiting)
	}
}

func (u *uses) keep(uses map[uuid.UUID]message.KeyUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, use := range uses {
		u.waiting[id] = use
	}
}

// stop writes what waits and ends the writing.
func (u *uses) stop(ctx context.Context) error {
	u.mu.Lock()
	running := u.running
	u.mu.Unlock()
	u.once.Do(func() { close(u.end) })
	if !running {
		u.cancel()
		return nil
	}
	select {
	case <-u.done:
		u.cancel()
		return nil
	case <-ctx.Done():
		u.cancel()
		return fmt.Errorf("note the use of keys: %w", ctx.Err())
	}
}
