package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// takeInEnqueued makes what takes in mail that callers enqueued within transactions
// of their own. An SQLite file belongs to this process, so nobody can.
func (a *assembly) takeInEnqueued(context.Context) error {
	if a.serving == nil || a.database.URL.Engine() != config.Postgres {
		return nil
	}
	in := intake.New(intake.Config{
		Store: a.metrics.IntakeStore(observedIntake{a.store, a.observed}), Read: a.readEnqueued,
		Wake: a.relay.Wake, Logger: a.log,
	})
	a.add(part{name: "intake", start: noError(in.Start), stop: in.Stop})
	a.metrics.WatchIntake(a.store)
	a.lookAtIntake()
	return nil
}

// readEnqueued reads and validates as the API does, by the time of the call: what
// was right then is not refused because it had to wait.
func (a *assembly) readEnqueued(ctx context.Context, e message.Enqueued) (message.Reading, error) {
	limits := message.DefaultLimits()
	draft, hash, err := wire.ReadEmail(bytes.NewReader(e.Email), limits, e.At)
	var m *message.Message
	if err == nil {
		m, err = a.accept.Compose(ctx, e.TenantID, draft, e.At)
	}
	if err == nil {
		return message.Reading{Message: m, Hash: hash}, nil
	}
	refused, ok := errors.AsType[*message.Error](err)
	if !ok || errors.Is(err, message.ErrUnavailable) { // or its time was up: that is no fault of the email's
		return message.Reading{}, err
	}
	draft, _, _ = wire.DecodeEmail(bytes.NewReader(e.Email), limits) // what can be read of it; it is refused already
	return message.Reading{Message: limits.Refused(cmp.Or(draft, &message.Draft{})), Refused: refused}, nil
}

type observedIntake struct {
	intake.Store
	o *observations
}

// TakeIn implements intake.Store. A look past the oldest that finds nothing wrong says
// nothing of those.
func (s observedIntake) TakeIn(ctx context.Context, after uuid.UUID, limit int, read intake.Read) (message.IntakeLook, error) {
	begun := time.Now()
	look, err := s.Store.TakeIn(ctx, after, limit, read)
	if ctx.Err() == nil && (err != nil || after == uuid.Nil) {
		s.o.takingIn.of("take in enqueued mail").note(begun, err)
	}
	return look, err
}

// lookAtIntake watches over what callers committed and nobody has taken in.
func (a *assembly) lookAtIntake() {
	causes := []string{causeWaiting, causeUnreadable, causeDatabase, causeRefused}
	a.watch.add(check{part: "intake", causes: causes, look: func(ctx context.Context) *fault {
		if kind, lasted, err := a.observed.takingIn.longest(); lasted > 0 {
			return workFault(kind, lasted, err, httpapi.CheckDegraded)
		}
		return intakeFault(a.store.Waiting(ctx))
	}})
}

func intakeFault(w message.Waiting, err error) *fault {
	if err != nil {
		return &fault{
			status: httpapi.CheckDegraded, cause: causeUnreadable, detail: "cannot be looked at", err: err,
			remedy: "see the check of the database; if that is well, look at the rights of its user and at who holds a lock on the table intake",
		}
	}
	if w.Oldest <= patience {
		return nil
	}
	return &fault{
		status: httpapi.CheckDegraded, cause: causeWaiting,
		detail: fmt.Sprintf("enqueued mail has waited %v to be taken in", w.Oldest.Round(time.Second)),
		remedy: "the log says what holds it up; where nothing does, more is enqueued than the producers take in: start another, or look at the database's load",
	}
}
