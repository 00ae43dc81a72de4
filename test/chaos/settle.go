package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/check/witness"
)

// settle waits until nothing is due, no queue has a copy and every process is well;
// it returns when that was so first, and zero if it was not within the limit. Then it
// goes on waiting for mails that are to be tried again later, for as long again.
func (a *arena) settle(ctx context.Context, from time.Time) (quiet time.Time) {
	deadline := from.Add(a.o.quiet)
	for time.Now().Before(deadline) {
		if quiet.IsZero() && a.atRest(ctx) {
			quiet = time.Now()
			deadline = quiet.Add(a.o.quiet)
		}
		if open, err := a.open(ctx); !quiet.IsZero() && err == nil && open == 0 {
			return quiet
		}
		if !wait(ctx, 200*time.Millisecond) {
			return quiet
		}
	}
	return quiet
}

func (a *arena) atRest(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if n, err := witness.Unfinished(ctx, a.stack.DB()); n > 0 || err != nil {
		return false
	}
	queues, err := a.queues(ctx)
	if err != nil {
		return false
	}
	for _, q := range queues {
		if !q.Notices && q.Ready+q.Unacked > 0 {
			return false
		}
	}
	for _, m := range a.stack.Members() {
		if m.State(ctx) != "ok" {
			return false
		}
	}
	return true
}

func (a *arena) queues(ctx context.Context) ([]check.Queue, error) {
	if a.services == nil {
		return nil, nil
	}
	return witness.Queues(ctx, a.services.Management, a.stack.Prefix)
}

func (a *arena) open(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return a.stack.Open(ctx)
}

// gather reads what the run left behind.
func (a *arena) gather(ctx context.Context, r *result) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e := &r.evidence
	e.QuietLimit, e.Expected = a.o.quiet, names(a.o.kinds)
	e.Calls, e.Copies = a.calls.Calls(), witness.Copies(a.relay.Transactions())
	e.Faults, r.wrongs = a.faults.all()
	if n := a.calls.Refused(); n > 0 {
		r.wrongs = append(r.wrongs, fmt.Sprintf("%d good mails were refused", n))
	}
	if n := a.calls.Accepted(); n < a.o.mails {
		r.wrongs = append(r.wrongs, fmt.Sprintf("%d of %d mails were accepted", n, a.o.mails))
	}
	if e.Quiet.IsZero() {
		r.wrongs = append(r.wrongs, fmt.Sprintf("not at rest within %v of the last fault", a.o.quiet))
	}
	for _, m := range a.stack.Members() {
		p := witness.Process(ctx, m.Name, m.Metrics)
		p.Exits = m.Exits()
		e.Processes = append(e.Processes, p)
	}
	var err error
	e.Queues, err = a.queues(ctx)
	return errors.Join(err, witness.Tables(ctx, a.stack.DB(), e))
}
