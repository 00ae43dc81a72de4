package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/postrider/postrider/bench/result"
)

var (
	errFailed   = errors.New("something could not be measured; what, stands above behind \"Not measured\"")
	errCutShort = errors.New("the run was cut short")
)

// bench runs everything that was asked for, and shows what was measured, also after a
// failure and when ctx ends before all was done.
func bench(ctx context.Context, o options) error {
	if o.from != "" {
		return o.again(os.Stdout)
	}
	begun := time.Now()
	run := &result.Run{
		Begun: begun, Plan: o.plan, Command: o.command, Mails: o.mails, Workers: o.workers, Notes: map[string]string{},
	}
	say("building Postrider and finding its services")
	g, err := prepare(ctx, o, run)
	if err != nil {
		return err
	}
	defer g.close()
	g.describe(ctx, o)
	failed := follow(ctx, run, g.steps(o))
	run.Took = time.Since(begun)
	if errors.Is(failed, errCutShort) {
		o.docs, o.accept = false, false // half a run is for nobody else's eyes
	}
	return errors.Join(o.finish(os.Stdout, g.root, run), failed)
}

// follow takes the steps one after another. One that fails leaves the others standing;
// its own numbers do not count, since nobody knows what they are of.
func follow(ctx context.Context, run *result.Run, steps []step) error {
	var failed error
	p := newProgress(steps)
	for i, s := range steps {
		if ctx.Err() != nil {
			run.Missing = append(run.Missing, fmt.Sprintf("the run was cut short: %d of its %d parts were not begun", len(steps)-i, len(steps)))
			return errCutShort
		}
		p.begin(i)
		before := len(run.Samples)
		err := s.within(ctx)
		p.end(i, err)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			run.Missing = append(run.Missing, s.what+": cut short")
			failed = errCutShort // also where it was the last
		default:
			run.Missing = append(run.Missing, fmt.Sprintf("%s: %v", s.what, err))
			if !s.apart {
				run.Samples = run.Samples[:before]
			}
			failed = errFailed
		}
	}
	return failed
}

// commandVariable is how scripts/bench.sh says what was typed.
const commandVariable = "BENCH_COMMAND"

// commandLine is what somebody would type for the same run.
func commandLine(args []string) string {
	return cmp.Or(os.Getenv(commandVariable), strings.Join(append([]string{"bench"}, args...), " "))
}
