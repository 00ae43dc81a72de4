package app

import (
	"context"
	"sync"
	"time"
)

const (
	// failsFor is how long work must have done nothing but fail: shorter
	// stumbles, such as a connection that is replaced, are what retries are for.
	failsFor = 10 * time.Second
	// recursFor is how long what heals by itself must have gone on happening.
	recursFor = 30 * time.Second
	// streakEnds is how long after its last failure nothing is known any more:
	// work that nobody asks for cannot show that it would succeed again.
	streakEnds = 25 * time.Second
)

// streak is a run of failures of one kind of work. Safe for concurrent use.
type streak struct {
	least time.Duration // that a run must last to count

	mu          sync.Mutex
	first, last time.Time // when the first failed work began, and the last one ended; zero: none failed
	err         error     // the last
}

// note tells of work that began at the given time and ends now; nil ends the
// run.
func (s *streak) note(begun time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		s.first, s.last = time.Time{}, time.Time{}
		return
	case s.last.IsZero(), now.Sub(s.last) > streakEnds:
		s.first = begun
	}
	s.last, s.err = now, err
}

// run is how long the work has failed, and how last; 0: it has not, or not for
// long enough to be worth a word.
func (s *streak) run() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lasted := s.last.Sub(s.first)
	if s.last.IsZero() || lasted < s.least || time.Since(s.last) > streakEnds {
		return 0, nil
	}
	return time.Since(s.first), s.err
}

// streaks are the streaks of several kinds of work of one part: the success of
// one says nothing about another. Safe for concurrent use.
type streaks struct {
	least time.Duration

	mu   sync.Mutex
	kind map[string]*streak
}

func newStreaks(least time.Duration) *streaks {
	return &streaks{least: least, kind: map[string]*streak{}}
}

func (s *streaks) of(kind string) *streak {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind[kind] == nil {
		s.kind[kind] = &streak{least: s.least}
	}
	return s.kind[kind]
}

// note tells of work of a kind, unless it was broken off: by a stop, most likely, which is
// no failure.
func (s *streaks) note(ctx context.Context, kind string, begun time.Time, err error) {
	if ctx.Err() == nil {
		s.of(kind).note(begun, err)
	}
}

// longest is the kind of work that has failed for the longest time.
func (s *streaks) longest() (kind string, lasted time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, one := range s.kind {
		if d, e := one.run(); d > lasted {
			kind, lasted, err = k, d, e
		}
	}
	return kind, lasted, err
}
