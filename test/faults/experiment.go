package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

// experiment proves one promise under one fault. It is named in small letters with
// dashes, after the fault.
type experiment struct {
	name     string
	requires string        // what must be seen, with its numbers
	takes    time.Duration // about, in full length
	// run makes the fault and measures. An error is a requirement that was not
	// met, or a run that could not be made; what was measured until then counts
	// all the same.
	run playFunc
}

type playFunc func(ctx context.Context, b *bench) (measurement, error)

// measurement is what an experiment saw.
type measurement struct {
	summary string        // in the words of the requirement
	report  *check.Report // of the whole run; nil where the experiment judges by itself
}

// bench is what every experiment is given.
type bench struct {
	name    string
	short   time.Duration // 0: full length; else the most that a long phase may last
	times   int           // repetitions asked for; 0: the experiment's own number
	started time.Time
	out     io.Writer

	*grounds
	dir string // an empty folder of the experiment's own
}

// grounds are what all experiments stand on.
type grounds struct {
	programs *rig.Programs
	services *rig.Services // private: they may be harmed
}

// lasting is the length of a phase that lasts full in the published figure.
func (b *bench) lasting(full time.Duration) time.Duration {
	if b.short > 0 {
		return min(full, b.short)
	}
	return full
}

// repeat is how often an experiment repeats that does so full times in the
// published figure.
func (b *bench) repeat(full int) int {
	switch {
	case b.times > 0:
		return b.times
	case b.short > 0:
		return min(full, 3)
	default:
		return full
	}
}

// say shows progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "  %6s  %s\n", time.Since(b.started).Round(100*time.Millisecond), fmt.Sprintf(format, args...))
}

// choose returns the experiments of the given names, or else those whose names begin
// with them, which are parted by commas; "" is all.
func choose(all []experiment, only string) ([]experiment, error) {
	if only == "" {
		return all, nil
	}
	var chosen []experiment
	for want := range strings.SplitSeq(only, ",") {
		found := named(all, want)
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: %q; -list shows them", errNoSuch, want)
		}
		for _, e := range found {
			if !slices.ContainsFunc(chosen, func(c experiment) bool { return c.name == e.name }) {
				chosen = append(chosen, e)
			}
		}
	}
	return chosen, nil
}

func named(all []experiment, want string) []experiment {
	var begin []experiment
	for _, e := range all {
		if e.name == want {
			return []experiment{e}
		}
		if strings.HasPrefix(e.name, want) {
			begin = append(begin, e)
		}
	}
	return begin
}
