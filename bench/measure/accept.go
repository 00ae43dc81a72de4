package measure

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

// Accept measures the taking in of mails by so many callers.
func (s *Session) Accept(ctx context.Context, callers, mails int) error {
	return s.AcceptAs(ctx, func(what string) string { return result.Accept(callers, what) }, callers, mails)
}

// AcceptAs is Accept under other names: what of result.Rate, result.P50, result.P99,
// result.CPU and the CPU by part it is asked for.
func (s *Session) AcceptAs(ctx context.Context, name Name, callers, mails int) error {
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

// HandIn has so many callers hand in mails, and measures nothing.
func (s *Session) HandIn(ctx context.Context, callers, mails int) error {
	_, err := s.call(ctx, callers, mails)
	return err
}

// Reserve returns the first of so many numbers, for mails that reach the system by
// another way than its Accept.
func (s *Session) Reserve(mails int) (first int) {
	first = s.next
	s.next += mails
	return first
}

// call hands in mails as fast as the callers can, and returns how long each took.
func (s *Session) call(ctx context.Context, callers, mails int) ([]time.Duration, error) {
	first, took := s.Reserve(mails), make([]time.Duration, mails)
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
				if err := s.system.Accept(ctx, job.Mail{N: first + i}); err != nil {
					return err
				}
				took[i] = time.Since(begun)
			}
			return nil
		})
	}
	return took, group.Wait()
}
