// Package measure puts every system through the same phases and notes what it costs.
package measure

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
	"github.com/postrider/postrider/bench/sink"
)

// Bench measures systems into a run, one at a time.
type Bench struct {
	Run     *result.Run
	Sink    *sink.Process
	Servers map[string]int // process ids of the servers that systems share, by name
}

// Session is one system in one round. Its phases are methods, called one at a time.
type Session struct {
	*Bench
	system job.System
	round  int
	next   int              // number of the next mail
	works  bool             // whether workers run
	most   map[string]int64 // resident bytes at most, by process
}

// With prepares a system, calls do, and removes the system again.
func (b *Bench) With(ctx context.Context, s job.System, round int, do func(context.Context, *Session) error) (err error) {
	defer func() {
		if failed := s.Close(context.WithoutCancel(ctx)); err == nil && failed != nil {
			err = fmt.Errorf("close: %w", failed)
		}
	}()
	if err := b.Sink.Reset(ctx); err != nil {
		return err
	}
	if err := s.Prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	session := &Session{Bench: b, system: s, round: round, most: map[string]int64{}}
	if err := do(ctx, session); err != nil {
		return err
	}
	return session.accountFor(ctx)
}

// accountFor fails where a mail did not arrive, or came twice: such a system was not
// doing the job.
func (s *Session) accountFor(ctx context.Context) error {
	sum, err := s.Sink.Summary(ctx)
	if err != nil {
		return err
	}
	if sum.Duplicates > 0 || sum.Strangers > 0 {
		return fmt.Errorf("of %d mails %d came twice, and %d that nobody had sent", s.next, sum.Duplicates, sum.Strangers)
	}
	return nil
}

func (s *Session) note(measure string, value float64) {
	s.Run.Note(s.system.Name(), measure, s.round, value)
}

// noteCPU notes what a phase of so many mails used, in all and by part.
func (s *Session) noteCPU(name Name, used Usage, mails int) {
	perMail := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(mails) }
	s.note(name(result.CPU), perMail(used.Total()))
	for _, part := range slices.Sorted(maps.Keys(used)) {
		s.note(name(result.CPU+"."+part), perMail(used[part]))
	}
}

// usage looks at every part that works for the system: callers are this process.
func (s *Session) usage() (Usage, error) {
	parts := map[string]int{"callers": os.Getpid(), "sink": s.Sink.PID()}
	for _, name := range s.system.Servers() {
		if pid, known := s.Servers[name]; known {
			parts[name] = pid
		}
	}
	own := s.system.Processes()
	maps.Copy(parts, own)
	for name, pid := range own {
		s.most[name] = max(s.most[name], mostMemory(pid))
	}
	return UsageOf(parts)
}

// NoteMemory notes the most that each process of the system had in the phases before,
// such as under result.Memory.
func (s *Session) NoteMemory(name func(process string) string) {
	for _, process := range slices.Sorted(maps.Keys(s.most)) {
		s.note(name(process), float64(s.most[process])/(1<<20))
	}
}

// awaitSink waits until so many mails have come in all.
func (s *Session) awaitSink(ctx context.Context, count int) (sink.Summary, error) {
	for {
		sum, err := s.Sink.Summary(ctx)
		if err != nil || sum.Count >= count {
			return sum, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return sum, fmt.Errorf("%d of %d mails came: %w", sum.Count, count, err)
		}
	}
}

// awaitDone waits until nothing is open.
func (s *Session) awaitDone(ctx context.Context) error {
	for {
		open, err := s.system.Open(ctx)
		if err != nil || open == 0 {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d mails are still open: %w", open, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
