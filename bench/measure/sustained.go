package measure

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/postrider/postrider/bench/result"
)

// Counting is a system that counts what it does: allocations, transactions. A counter
// only goes up.
type Counting interface {
	Counters(ctx context.Context) (map[string]float64, error)
}

// Sustained measures both at once: from the first call, with the workers ready, until
// the last mail is recorded as delivered. Of a system that is Counting it also notes
// how much each counter went up for a mail.
func (s *Session) Sustained(ctx context.Context, callers, mails int) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	name := func(what string) string { return result.Sustained(callers, what) }
	counted, err := s.counters(ctx)
	if err != nil {
		return err
	}
	if err := s.sustain(ctx, name, callers, mails); err != nil {
		return err
	}
	now, err := s.counters(ctx)
	for _, counter := range slices.Sorted(maps.Keys(now)) {
		s.note(name(counter), (now[counter]-counted[counter])/float64(mails))
	}
	return err
}

func (s *Session) sustain(ctx context.Context, name Name, callers, mails int) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := s.HandIn(ctx, callers, mails); err != nil {
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

func (s *Session) counters(ctx context.Context) (map[string]float64, error) {
	if system, ok := s.system.(Counting); ok {
		return system.Counters(ctx)
	}
	return nil, nil
}
