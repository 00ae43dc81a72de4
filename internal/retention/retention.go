// Package retention deletes what is kept for long enough: messages that are over, and with
// them dead letters and processes that are gone.
package retention

import (
	"context"
	"errors"
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
	retryEvery = 10 * time.Second // after a round that failed
	// anew is after how long those are looked at again that were not over when a round
	// went past them, and how often what is no message is looked at.
	anew = time.Hour
)

// Store deletes. Purge looks at up to limit messages, in the order of their ids from
// the one behind after, and deletes those whose deliveries have all ended at least keep
// ago. ForgetOld deletes up to limit dead letters that came at least keep ago and as many
// processes that were last seen then, and returns how many. Both may run beside
// themselves. Their errors wrap message.ErrUnavailable when the database cannot be reached.
type Store interface {
	Purge(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error)
	ForgetOld(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// Config is what a Retention is built from.
type Config struct {
	Store  Store
	Keep   time.Duration // how long a message is kept once it is over, and what else goes with time
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
	clean time.Time // when there was last nothing to forget
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
			wait := roundEvery
			n, err := r.Round(ctx)
			if n > 0 {
				r.cfg.Logger.Info("deleted messages that were over for as long as they are kept", "messages", n, "kept", r.cfg.Keep)
			}
			if err != nil && ctx.Err() == nil {
				wait = retryEvery
				r.cfg.Logger.Warn("not everything was deleted whose time is over; the next round tries again", "error", err,
					"remedy", "bring the database back, or mend what the error names; nothing needs a restart")
			}
			if r.cfg.Random.Jittered(ctx, wait) != nil {
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
	n, err := r.messages(ctx)
	return n, errors.Join(err, r.others(ctx))
}

func (r *Retention) messages(ctx context.Context) (total int, err error) {
	if time.Since(r.begun) >= anew {
		r.after, r.begun = uuid.Nil, time.Now()
	}
	err = gently(ctx, func() (bool, error) {
		p, err := r.cfg.Store.Purge(ctx, r.after, r.cfg.Keep, batch)
		total += p.Messages
		if err != nil || p.Last == uuid.Nil {
			return false, err
		}
		r.after = p.Last
		return true, nil
	})
	return total, err
}

// others deletes what is no message.
func (r *Retention) others(ctx context.Context) error {
	if time.Since(r.clean) < anew {
		return nil
	}
	return gently(ctx, func() (bool, error) {
		n, err := r.cfg.Store.ForgetOld(ctx, r.cfg.Keep, batch)
		if err == nil && n < batch {
			r.clean = time.Now()
		}
		return n >= batch, err
	})
}

// gently repeats a step while there is more to do. Mail comes first: a database that is
// slow now is left alone for as long as the step took.
func gently(ctx context.Context, step func() (more bool, err error)) error {
	for {
		asked := time.Now()
		more, err := step()
		if err != nil || !more {
			return err
		}
		if pause.For(ctx, time.Since(asked)) != nil {
			return nil
		}
	}
}
