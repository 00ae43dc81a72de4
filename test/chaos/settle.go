package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/check/witness"
)

// countsAge is how old the broker's own counts may be.
const countsAge = 5 * time.Second

// settle waits until all mail is drained for good: nothing is due and no queue has a
// copy, as long as the counts may be old. It returns since when that is so, and zero if
// it was not within the limit. It goes on, for as long again, until every process says
// that it is well, which some say only after a while, and no mail waits to be tried
// again.
func (a *arena) settle(ctx context.Context, from time.Time) (quiet time.Time) {
	for now := from; now.Before(from.Add(2 * a.o.quiet)); now = time.Now() {
		why := a.undrained(ctx)
		switch {
		case why != "":
			quiet = time.Time{}
			if now.After(from.Add(a.o.quiet)) {
				a.faults.unrest(why)
				return quiet
			}
		case quiet.IsZero():
			quiet = now
			fallthrough
		default:
			why = a.unwell(ctx)
		}
		a.faults.unrest(why)
		if why == "" && now.Sub(quiet) > countsAge || !wait(ctx, 200*time.Millisecond) {
			return quiet
		}
	}
	return quiet
}

// undrained says where mail is; "" if nowhere.
func (a *arena) undrained(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if n, err := witness.Unfinished(ctx, a.stack.DB()); n > 0 || err != nil {
		return fmt.Sprintf("%d due %s", n, text(err))
	}
	queues, err := a.queues(ctx)
	if err != nil {
		return err.Error()
	}
	if len(queues) < a.expectedQueues() {
		return "a queue is not there yet"
	}
	for _, q := range queues {
		if !q.Notices && q.Ready+q.Unacked > 0 {
			return fmt.Sprintf("%s has %d ready, %d unacknowledged", q.Name, q.Ready, q.Unacked)
		}
	}
	return ""
}

// unwell says what else is not as it should be in the end.
func (a *arena) unwell(ctx context.Context) string {
	if open, err := a.open(ctx); open > 0 || err != nil {
		return fmt.Sprintf("%d wait to be tried again %s", open, text(err))
	}
	for _, m := range a.stack.Members() {
		if state := m.State(ctx); state != "ok" {
			return fmt.Sprintf("%s is %q", m.Name, state)
		}
	}
	return ""
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (a *arena) expectedQueues() int {
	if a.services == nil {
		return 0
	}
	return len(a.stack.Queues())
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
		r.wrongs = append(r.wrongs, fmt.Sprintf("not drained within %v of the last fault: %s", a.o.quiet, a.faults.restless()))
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
