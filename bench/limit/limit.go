// Package limit measures what the machine's parts can do at most, each alone and by the
// least code there is for it. Beside these rates one sees what of a system's rate is its
// own doing.
package limit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

// Parts are what is measured.
type Parts struct {
	job.Where
	For time.Duration // how long each measurement takes, without setting up; 2 s is enough
}

// Measure notes the limits of all parts, one after another. A part that fails leaves
// the others standing; the error has the failures of all.
func (p Parts) Measure(ctx context.Context, run *result.Run, round int) error {
	return errors.Join(
		p.Sync(ctx, run, round),
		p.Commits(ctx, run, round),
		p.Inserts(ctx, run, round),
		p.Broker(ctx, run, round),
		p.GoMail(ctx, run, round),
		p.Pipelined(ctx, run, round),
	)
}

// step does one thing once.
type step func(ctx context.Context) error

// rate repeats the steps, all at the same time, until the time is over, and returns how
// many ended in a second. The first error ends all.
func (p Parts) rate(ctx context.Context, steps []step) (float64, error) {
	var (
		counts = make([]int, len(steps))
		begun  = time.Now()
		over   = begun.Add(p.For)
	)
	all, ctx := errgroup.WithContext(ctx)
	for i, one := range steps {
		all.Go(func() error {
			n := 0
			for time.Now().Before(over) {
				if err := one(ctx); err != nil {
					return err
				}
				n++
			}
			counts[i] = n // once at the end, since neighbours share a cache line
			return nil
		})
	}
	err := all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begun).Seconds(), err
}

// several makes n steps that need something of their own, such as a connection.
func several(n int, open func() (step, error)) ([]step, error) {
	steps := make([]step, n)
	for i := range steps {
		one, err := open()
		if err != nil {
			return nil, err
		}
		steps[i] = one
	}
	return steps, nil
}

func note(run *result.Run, round int, name string, perSecond float64) {
	run.Note(result.Limit, name+"."+result.Rate, round, perSecond)
}

// closer is what several connections are ended by.
type closer []func() error

func (c *closer) add(end func() error) { *c = append(*c, end) }

func (c closer) close() {
	for _, end := range c {
		_ = end()
	}
}

// rowText is what a row of 2 KB holds: a little less, so that Postgres stores it as it is
// and does not compress it.
func rowText() string {
	text := job.Mail{}.Text()
	return text + strings.Repeat("-", 1950-len(text))
}

// failed names the measurement in an error; nil stays nil.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("measure %s: %w", fmt.Sprintf(format, args...), err)
}
