// Package retention deletes messages whose time is over.
package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/loop"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	batch      = 128 // messages looked at in one transaction
	roundEvery = time.Minute
	// anew is after how long those are looked at again that were not over when a round
	// went past them.
	anew = time.Hour
)

// Store deletes. Purge looks at up to limit messages, in the order of their ids from
// the one behind after, and deletes those whose deliveries have all ended at least keep
// ago. It may run beside itself. Its error wraps message.ErrUnavailable when the
// database cannot be reached.
type Store interface {
	Purge(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error)
}

// Config is what a Retention is built from.
type Config struct {
	Store  Store
	Keep   time.Duration // how long a message is kept once it is over
	Logger *slog.Logger  // nil: none
	Random pause.Random  // for jitter; nil: the shared source
}

// Retention deletes in rounds. Start it once; Stop may be called at any time and more
// than once.
type Retention struct {
	cfg    Config
	rounds *loop.Group

	after uuid.UUID // where the last round came to
	begun time.Time // when a round last began with the oldest message
}

// New returns a retention that has not started.
func New(cfg Config) *Retention {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Retention{cfg: cfg, rounds: loop.NewGroup()}
}

// Start begins to delete and returns at once.
func (r *Retention) Start() {
	r.rounds.Start(func(ctx context.Context) {
		for {
			n, err := r.Round(ctx)
			if n > 0 {
				r.cfg.Logger.Info("deleted messages that were over for as long as they are kept", "messages", n, "kept", r.cfg.Keep)
			}
			if err != nil && ctx.Err() == nil {
				r.cfg.Logger.Warn("not all messages were deleted whose time is over; the next round tries again", "error", err,
					"remedy", "bring the database back, or mend what the error names; nothing needs a restart")
			}
			if r.cfg.Random.Jittered(ctx, roundEvery) != nil {
				return
			}
		}
	})
}

// Stop ends the rounds; a transaction in hand is finished or rolled back. It returns
// when nothing runs any more or ctx ends.
func (r *Retention) Stop(ctx context.Context) error { return r.rounds.Stop(ctx) }

// Round deletes what there is to delete and returns how many messages that were. It
// goes on where the last round ended, and begins with the oldest message again once an
// hour: messages that are over for long, and those that wait for a far time, are not
// looked at every minute. It must not run beside itself; beside the rounds of other
// processes it may.
func (r *Retention) Round(ctx context.Context) (int, error) {
	if time.Since(r.begun) >= anew {
		r.after, r.begun = uuid.Nil, time.Now()
	}
	total := 0
	for {
		asked := time.Now()
		p, err := r.cfg.Store.Purge(ctx, r.after, r.cfg.Keep, batch)
		total += p.Messages
		if err != nil || p.Last == uuid.Nil {
			return total, err
		}
		r.after = p.Last
		// Mail comes first: a database that is slow now is left alone for as long.
		if err := pause.For(ctx, time.Since(asked)); err != nil {
			return total, nil
		}
	}
}
