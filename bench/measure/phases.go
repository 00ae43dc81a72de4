package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

// Accept measures the taking in of mails by so many callers.
func (s *Session) Accept(ctx context.Context, callers, mails int) error {
	name := func(what string) string { return result.Accept(callers, what) }
	before, err := s.usage()
	if err != nil {
		return err
	}
	begun := time.Now()
	took, err := s.call(ctx, callers, mails)
	if err != nil {
		return err
	}
	s.note(name(result.Rate), float64(mails)/time.Since(begun).Seconds())
	s.noteQuantiles(name, took)
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.noteCPU(name, after.Since(before), mails)
	return nil
}

// call hands in mails as fast as the callers can, and returns how long each took.
func (s *Session) call(ctx context.Context, callers, mails int) ([]time.Duration, error) {
	took := make([]time.Duration, mails)
	numbers := make(chan int, callers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(numbers)
		for i := range mails {
			select {
			case numbers <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range callers {
		group.Go(func() error {
			for i := range numbers {
				begun := time.Now()
				if err := s.system.Accept(ctx, job.Mail{N: s.next + i}); err != nil {
					return err
				}
				took[i] = time.Since(begun)
			}
			return nil
		})
	}
	err := group.Wait()
	s.next += mails
	return took, err
}

func (s *Session) noteQuantiles(name func(string) string, took []time.Duration) {
	p50, p99 := Quantiles(took)
	s.note(name(result.P50), p50)
	s.note(name(result.P99), p99)
}

// Quantiles are the median and the 99th percentile, in milliseconds. It sorts took.
func Quantiles(took []time.Duration) (p50, p99 float64) {
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return ms(took[len(took)/2]), ms(took[len(took)*99/100])
}

// HandIn has so many callers hand in mails, and measures nothing.
func (s *Session) HandIn(ctx context.Context, callers, mails int) error {
	_, err := s.call(ctx, callers, mails)
	return err
}

// Work starts the workers, unless they run already.
func (s *Session) Work(ctx context.Context) error {
	if s.works {
		return nil
	}
	s.works = true
	return s.system.Work(ctx)
}

// Rest stops the workers, if they run.
func (s *Session) Rest(ctx context.Context) error {
	if !s.works {
		return nil
	}
	s.works = false
	return s.system.Rest(ctx)
}

// Drain starts the workers and measures the sending of what waits, from when they are
// ready: how long a process takes to start is not the question. Name gives the
// measures their names, such as result.Drain.
func (s *Session) Drain(ctx context.Context, name func(string) string) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	first, before, err := s.look(ctx)
	if err != nil {
		return err
	}
	last, err := s.awaitSink(ctx, s.next)
	if err != nil {
		return err
	}
	if err := s.awaitDone(ctx); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	mails := last.Count - first.count
	if mails == 0 {
		s.Run.Missing = append(s.Run.Missing, fmt.Sprintf("%s of %s, round %d: all mails were gone before the workers were known to be ready",
			name(result.Rate), s.system.Name(), s.round))
		return nil
	}
	s.note(name(result.Rate), float64(mails)/last.Last.Sub(first.at).Seconds())
	s.noteCPU(name, after.Since(before), mails)
	return nil
}

// moment is how many mails had come, and when.
type moment struct {
	count int
	at    time.Time
}

func (s *Session) look(ctx context.Context) (moment, Usage, error) {
	sum, err := s.Sink.Summary(ctx)
	if err != nil {
		return moment{}, nil, err
	}
	m := moment{sum.Count, time.Now()}
	used, err := s.usage()
	return m, used, err
}

// Sustained measures both at once: from the first call, with the workers ready, until
// the last mail is recorded as delivered.
func (s *Session) Sustained(ctx context.Context, callers, mails int) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	name := func(what string) string { return result.Sustained(callers, what) }
	before, err := s.usage()
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := s.call(ctx, callers, mails); err != nil {
		return err
	}
	if _, err := s.awaitSink(ctx, s.next); err != nil {
		return err
	}
	if err := s.awaitDone(ctx); err != nil {
		return err
	}
	s.note(name(result.Rate), float64(mails)/time.Since(begun).Seconds())
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.noteCPU(name, after.Since(before), mails)
	return nil
}

// Steady measures mails at a rate that leaves the machine idle in between: when each
// reaches the sink after its caller was answered, and what it costs.
func (s *Session) Steady(ctx context.Context, perSecond int, length time.Duration) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	waits, err := s.paced(ctx, "", perSecond, length)
	if err != nil {
		return err
	}
	s.noteQuantiles(result.Steady, waits)
	if err := s.awaitDone(ctx); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.noteCPU(result.Steady, after.Since(before), len(waits))
	return nil
}

// paced hands in mails at a rate, whatever becomes of those before, and returns how
// long after its caller's answer each came to the sink.
func (s *Session) paced(ctx context.Context, lane string, perSecond int, length time.Duration) ([]time.Duration, error) {
	mails := int(length.Seconds() * float64(perSecond))
	first, answered := s.next, make([]time.Time, mails)
	s.next += mails
	group, calling := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range mails {
		select {
		case <-tick.C:
		case <-calling.Done():
			return nil, errors.Join(group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			err := s.system.Accept(calling, job.Mail{N: first + i, Lane: lane})
			answered[i] = time.Now()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s.waits(ctx, first, answered)
}

// waits is how long after the given moments each mail came. One that came before its
// caller could read the answer did not wait.
func (s *Session) waits(ctx context.Context, first int, answered []time.Time) ([]time.Duration, error) {
	for {
		times, err := s.Sink.Times(ctx, first, len(answered))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(times, 0) {
			waits := make([]time.Duration, len(times))
			for i, at := range times {
				waits[i] = max(0, time.Unix(0, at).Sub(answered[i]))
			}
			return waits, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
