package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

const (
	beatEvery   = 10 * time.Second
	clockApart  = 30 * time.Second // from this host's clock, at most
	clockStep   = time.Second      // what counts as a step
	stepIsShown = time.Minute
)

// database is the check of whether the database answers and takes writes. What
// it writes is this process's line in the table of workers.
type database struct {
	a *assembly

	mu     sync.Mutex
	beaten time.Time // when the line was last written; zero: the last try failed
}

func (d *database) look(ctx context.Context) *fault {
	begun := time.Now()
	if err := d.a.store.Ping(ctx); err != nil {
		return absence(ctx, err, time.Since(begun))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.beaten) < beatEvery {
		return nil
	}
	if err := d.a.beat(ctx, "running"); err != nil {
		d.beaten = time.Time{}
		return &fault{
			status: httpapi.CheckDown, cause: causeUnwritable, detail: "answers, and takes no writes", err: err,
			remedy: "its disk may be full, or it may be read-only or a standby: the error in the log says which; nothing is accepted meanwhile, and what was accepted is safe",
		}
	}
	d.beaten = time.Now()
	return nil
}

func absence(ctx context.Context, err error, took time.Duration) *fault {
	f := &fault{
		status: httpapi.CheckDown, cause: causeAway, detail: "does not answer", err: err,
		remedy: "start it, or check POSTRIDER_DATABASE_URL; what was accepted is safe, and nothing is accepted meanwhile",
	}
	switch {
	case !errors.Is(err, message.ErrUnavailable):
		f.cause, f.detail = causeRefused, "refuses to answer"
		f.remedy = "check the user in POSTRIDER_DATABASE_URL and its rights; the error in the log says what is refused"
	case keptOut(err):
		f.cause, f.detail = causeRefused, "does not let us in"
		f.remedy = "correct user, password and database in POSTRIDER_DATABASE_URL and restart, or let them in there; what was accepted is safe, and nothing is accepted meanwhile"
	case ctx.Err() != nil:
		f.cause, f.detail = causeTimeout, fmt.Sprintf("has not answered within %v", took.Round(100*time.Millisecond))
		f.remedy = "look at its load, at its locks, at the network to it, and whether POSTRIDER_DATABASE_CONNS are enough; what was accepted is safe"
	}
	return f
}

// keptOut reports whether a server is there and refuses the login (class 28 of SQLSTATE)
// or has no such database (3D).
func keptOut(err error) bool {
	told, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	return ok && (strings.HasPrefix(told.SQLState(), "28") || strings.HasPrefix(told.SQLState(), "3D"))
}

// clocks is the check of the database's clock, by which everything is timed: it
// must not step, nor be far from this host's, by which the times that callers
// name are judged.
type clocks struct {
	read func(context.Context) (message.Clock, error)

	mu      sync.Mutex
	last    time.Time // of the database
	at      time.Time // when it was read, by the monotonic clock
	took    time.Duration
	step    time.Duration
	stepped time.Time // zero: never
}

func (c *clocks) look(ctx context.Context) *fault {
	asked := time.Now()
	clock, err := c.read(ctx)
	if err != nil {
		return nil // the check of the database says so
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(clock.Now, asked, time.Since(asked))
	if apart := clock.Now.Sub(asked.Round(0)); apart.Abs() > clockApart+c.took {
		return &fault{
			status: httpapi.CheckDegraded, cause: causeSkew, detail: fmt.Sprintf("the database's clock is %v from this host's", apart.Round(time.Second)),
			remedy: "set both by NTP; mail is timed by the database's clock, so scheduled and repeated mail goes by it",
		}
	}
	if !c.stepped.IsZero() && time.Since(c.stepped) < stepIsShown {
		return &fault{
			status: httpapi.CheckDegraded, cause: causeStep, detail: fmt.Sprintf("the database's clock stepped by %v", c.step.Round(time.Millisecond)),
			remedy: "let NTP slew it rather than set it; leases were not judged for a while, and repeated mail may go early or late by as much",
		}
	}
	return nil
}

// note finds steps: what the database's clock has advanced otherwise than this
// host's monotonic one. When a busy database answers late, nobody knows at which
// moment it read its clock: that much is no step.
func (c *clocks) note(now, asked time.Time, took time.Duration) {
	drift := now.Sub(c.last) - asked.Sub(c.at)
	if !c.last.IsZero() && drift.Abs() >= clockStep+c.took+took {
		c.step, c.stepped = drift, asked
	}
	c.last, c.at, c.took = now, asked, took
}
