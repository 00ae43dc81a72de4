package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/bench/result"
)

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

// Drain starts the workers and measures the sending of all that waits, from when they
// are ready: how long a process takes to start is not the question.
func (s *Session) Drain(ctx context.Context, name Name) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	return s.drain(ctx, name, s.next, func() error { return nil }, s.awaitDone)
}

// DrainFirst is Drain of as many as given of those that wait; the rest goes on.
func (s *Session) DrainFirst(ctx context.Context, name Name, mails int) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	come, err := s.Sink.Summary(ctx)
	if err != nil {
		return err
	}
	nothing := func(context.Context) error { return nil }
	return s.drain(ctx, name, min(s.next, come.Count+mails), func() error { return nil }, nothing)
}

// DrainHeld is Drain by workers that run already and are held still until release.
func (s *Session) DrainHeld(ctx context.Context, name Name, release func() error) error {
	return s.drain(ctx, name, s.next, release, s.awaitDone)
}

// drain measures from release until so many mails have come, and what is to follow has.
func (s *Session) drain(ctx context.Context, name Name, until int, release func() error, follow func(context.Context) error) error {
	first, before, err := s.look(ctx)
	if err != nil {
		return err
	}
	if err := release(); err != nil {
		return err
	}
	last, err := s.awaitSink(ctx, until)
	if err != nil {
		return err
	}
	if err := follow(ctx); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.noteDrain(name, last.Count-first.count, last.Last.Sub(first.at), after.Since(before))
	return nil
}

func (s *Session) noteDrain(name Name, mails int, took time.Duration, used Usage) {
	if mails == 0 || took <= 0 {
		s.Run.Missing = append(s.Run.Missing, fmt.Sprintf("%s of %s, round %d: all mails were gone before the workers were known to be ready",
			name(result.Rate), s.system.Name(), s.round))
		return
	}
	s.note(name(result.Rate), float64(mails)/took.Seconds())
	s.noteCPU(name, used, mails)
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
