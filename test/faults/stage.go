package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

// plan says what an experiment's stage is made of.
type plan struct {
	script    smtptest.Script // of the relay host
	consumers int             // 0 is 2; none: -1
	env       map[string]string
	edit      func(m *rig.Member, env map[string]string)
	launch    func(m *rig.Member, c *rig.Command)
	faults    []string // kinds without which the run proves nothing
}

// stage is a stack of an experiment's own, on services that it may harm, with a
// relay host and callers, and the evidence that they leave.
type stage struct {
	*bench
	stack *rig.Stack
	calls rig.CallLog
	relay string // the relay host's address, which stays

	mu       sync.Mutex
	sinks    []*smtptest.Server // the relay host, the last of those that were at the address
	faults   []check.Fault
	mends    []deed
	expected []string // kinds of fault
	posted   int      // mails begun
}

// onStage makes an experiment of a play: what it returns is measured, what the
// verdict collects is not as required.
func onStage(p plan, play func(ctx context.Context, s *stage, v *verdict) (measurement, error)) playFunc {
	return func(ctx context.Context, b *bench) (measurement, error) {
		s, err := b.stage(ctx, p)
		if err != nil {
			return measurement{}, err
		}
		var v verdict
		m, err := play(ctx, s, &v)
		return m, errors.Join(err, v.err(), s.close())
	}
}

// stage builds all of it and waits until it is ready. The caller closes it.
func (b *bench) stage(ctx context.Context, p plan) (*stage, error) {
	addr, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	s := &stage{bench: b, relay: addr, expected: p.faults}
	if err := s.openRelay(p.script); err != nil {
		return nil, err
	}
	s.stack, err = rig.NewStack(ctx, rig.Layout{
		Programs: b.programs, Dir: b.dir, Services: b.services, Consumers: max(0, cmp.Or(p.consumers, 2)),
		Relay: "smtp://" + addr + "?tls=none", Env: p.env, Edit: p.settings, Launch: p.launch,
	})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// settings are those that a user gets who sets none: a figure made with quicker ones
// would promise too much.
func (p *plan) settings(m *rig.Member, env map[string]string) {
	for _, name := range []string{"POSTRIDER_CONSUMERS", "POSTRIDER_LEASE", "POSTRIDER_SWEEP_INTERVAL", "POSTRIDER_SHUTDOWN_GRACE"} {
		if p.env[name] == "" {
			delete(env, name)
		}
	}
	if p.edit != nil {
		p.edit(m, env)
	}
}

// openRelay starts the relay host, for the first time or again.
func (s *stage) openRelay(script smtptest.Script) error {
	script.Listen = s.relay
	sink, err := smtptest.Start(script)
	if err != nil {
		return fmt.Errorf("start the relay host: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = append(s.sinks, sink)
	return nil
}

// sink is the relay host of now.
func (s *stage) sink() *smtptest.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sinks[len(s.sinks)-1]
}

// transactions are those of every relay host that was at the address.
func (s *stage) transactions() []smtptest.Transaction {
	s.mu.Lock()
	sinks := slices.Clone(s.sinks)
	s.mu.Unlock()
	var all []smtptest.Transaction
	for _, sink := range sinks {
		all = append(all, sink.Transactions()...)
	}
	return all
}

// closing bounds how long a stage takes to be taken down.
const closing = 2 * time.Minute

// close mends what is still broken and takes everything down, also after an
// interruption.
func (s *stage) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	var errs []error
	for _, mend := range slices.Backward(s.mends) {
		errs = append(errs, mend(s, ctx))
	}
	if s.stack != nil {
		errs = append(errs, s.stack.Close(ctx))
	}
	for _, sink := range s.sinks {
		sink.Close()
	}
	return errors.Join(errs...)
}

// afterwards has close do something that may be done twice.
func (s *stage) afterwards(mend deed) { s.mends = append(s.mends, mend) }

// deed is something done to a stage.
type deed func(s *stage, ctx context.Context) error

// by is a fault of scripts/services.sh.
func by(command string) deed {
	return func(s *stage, ctx context.Context) error { return s.services.Fault(ctx, command) }
}

// harm makes a fault and notes when it was. Do returns when the fault is over.
func (s *stage) harm(ctx context.Context, kind string, do deed) error {
	begun := time.Now()
	err := do(s, ctx)
	s.note(check.Fault{Begun: begun, Ended: time.Now(), Kind: kind})
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	s.say("%s, %s long; %d accepted, %d taken by the relay host",
		kind, time.Since(begun).Round(100*time.Millisecond), s.calls.Accepted(), s.sink().Stats().Accepted)
	return nil
}

func (s *stage) note(f check.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// every makes something at a steady pace for a length of time, the first after half
// a pace, and at least once.
func (s *stage) every(ctx context.Context, pace, length time.Duration, do func(context.Context) error) error {
	pace = min(pace, length/2)
	end := time.Now().Add(length)
	for next := time.Now().Add(pace / 2); next.Before(end); next = next.Add(pace) {
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		if err := do(ctx); err != nil {
			return err
		}
	}
	return sleep(ctx, time.Until(end))
}

// sleep waits for a time that is part of an experiment.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
