package measure

import (
	"context"
	"time"

	"github.com/postrider/postrider/bench/job"
)

// Recording is a system that sends to no sink, and tells from its records instead what
// it has done: how many mails, and when the last.
type Recording interface {
	job.System
	Recorded(ctx context.Context) (mails int, last time.Time, err error)
}

// DrainRecorded is Drain of a system whose records count.
func (s *Session) DrainRecorded(ctx context.Context, name Name, system Recording) error {
	if err := s.Work(ctx); err != nil {
		return err
	}
	first, _, err := system.Recorded(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	before, err := s.usage()
	if err != nil {
		return err
	}
	last, err := s.awaitRecorded(ctx, system)
	if err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.noteDrain(name, s.next-first, last.Sub(begun), after.Since(before))
	return nil
}

// awaitRecorded asks seldom, since to count costs a database more than to say when.
func (s *Session) awaitRecorded(ctx context.Context, system Recording) (time.Time, error) {
	for {
		mails, last, err := system.Recorded(ctx)
		if err != nil || mails >= s.next {
			return last, err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return last, err
		}
	}
}
