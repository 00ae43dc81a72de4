package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/check/witness"
	"github.com/postrider/postrider/test/rig"
)

// errUnmet is a requirement that was not met.
var errUnmet = errors.New("not as required")

// verdict collects what is not as required.
type verdict []string

func (v *verdict) require(ok bool, format string, args ...any) {
	if !ok {
		*v = append(*v, fmt.Sprintf(format, args...))
	}
}

func (v *verdict) err() error {
	if len(*v) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errUnmet, strings.Join(*v, "; "))
}

const (
	patience  = 5 * time.Minute  // for rest, beyond which it is called unrest
	toBeWell  = 45 * time.Second // for every process to say that it is well, at the end: trouble counts for 30 s after its last sign
	restEvery = 250 * time.Millisecond
)

// judge waits until nothing is open any more and has all evidence judged. Rest must
// come within the limit from the last fault; 0 is a minute.
func (s *stage) judge(ctx context.Context, limit time.Duration, v *verdict) (*check.Report, error) {
	e := &check.Evidence{QuietLimit: limit, Expected: s.expected, Faults: s.faults}
	if err := s.rest(ctx, e); err != nil {
		return nil, err
	}
	if err := witness.Tables(ctx, s.stack.DB(), e); err != nil {
		return nil, err
	}
	e.Calls = s.calls.Calls()
	e.Copies = witness.Copies(s.transactions())
	for _, m := range s.stack.Members() {
		e.Processes = append(e.Processes, s.health(ctx, m))
	}
	r := check.Run(e)
	v.require(r.OK(), "%s", strings.Join(append(r.Broken(), r.Unfired...), ", ")+" broken")
	v.require(r.Acknowledged > 0, "nothing was accepted")
	return r, nil
}

// rest waits until every delivery has ended and the queues are empty. What does not
// come to rest is for the judge.
func (s *stage) rest(ctx context.Context, e *check.Evidence) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error // of a service that is not back yet
	err := rig.Await(limited, restEvery, "rest", func() (bool, error) {
		var rest bool
		rest, last = s.atRest(limited, e)
		return rest, nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.say("%v", errors.Join(err, last))
		e.Quiet = time.Now()
	}
	return nil
}

// atRest notes when the tables first were: the broker's counts are seconds old.
func (s *stage) atRest(ctx context.Context, e *check.Evidence) (bool, error) {
	n, err := s.stack.Open(ctx)
	if err != nil || n > 0 {
		return false, err
	}
	if e.Quiet.IsZero() {
		e.Quiet = time.Now()
	}
	e.Queues, err = witness.Queues(ctx, s.services.Management, s.stack.Prefix)
	if err != nil {
		return false, err
	}
	for _, q := range e.Queues {
		if !q.Notices && q.Ready+q.Unacked > 0 {
			return false, nil
		}
	}
	return true, nil
}

// health gives a process time to find that all is well again.
func (s *stage) health(ctx context.Context, m *rig.Member) check.Process {
	limited, cancel := context.WithTimeout(ctx, toBeWell)
	defer cancel()
	_ = s.stack.Ready(limited, m) // what it is then is for the judge
	return check.Process{Name: m.Name, State: m.State(ctx), Exits: m.Exits()}
}

// counts are the numbers that every figure shows.
func counts(r *check.Report) string {
	return fmt.Sprintf("%d accepted, lost %d, duplicated %d, unexpected %d", r.Acknowledged, r.Lost, r.Duplicated, r.Unexpected)
}

// harmed is how long all faults took together.
func (s *stage) harmed() string {
	var d time.Duration
	for i := range s.faults {
		d += s.faults[i].Ended.Sub(s.faults[i].Begun)
	}
	return seconds(d)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
