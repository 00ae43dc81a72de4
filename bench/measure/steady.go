package measure

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

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

// Overtake starts the workers, waits until they are at work on what waits, and measures
// how long mails of an urgent lane take meanwhile, from the answer to the sink. So many
// a second are handed in.
func (s *Session) Overtake(ctx context.Context, name Name, lane string, perSecond int, length time.Duration) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	if _, err := s.awaitSink(ctx, min(s.next, 500)); err != nil {
		return err
	}
	waits, err := s.paced(ctx, lane, perSecond, length)
	if err != nil {
		return err
	}
	s.noteQuantiles(name, waits)
	return nil
}

// paced hands in mails at a rate, whatever becomes of those before, and returns how
// long after its caller's answer each came to the sink.
func (s *Session) paced(ctx context.Context, lane string, perSecond int, length time.Duration) ([]time.Duration, error) {
	mails := int(length.Seconds() * float64(perSecond))
	first, answered := s.Reserve(mails), make([]time.Time, mails)
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
