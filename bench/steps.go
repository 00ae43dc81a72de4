package main

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/bench/limit"
	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/null"
	"github.com/postrider/postrider/bench/result"
)

// step is a part of a run that can fail by itself.
type step struct {
	what    string        // for progress and for what is missing
	expects time.Duration // on two cores; only for what is said to be left
	do      func(context.Context) error
	apart   bool // what was measured before a failure counts all the same
}

// within does the step, for many times as long as it is expected to take at most: a
// system that is stuck must not keep the others from their turn.
func (s step) within(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+10*s.expects)
	defer cancel()
	return s.do(ctx)
}

// steps are all of a run, in their order.
func (g *ground) steps(o options) []step {
	var all []step
	for round := 1; round <= o.rounds; round++ {
		if o.limits > 0 {
			all = append(all, g.limits(o, round))
		}
		for _, name := range rotated(o.systems, round) {
			all = append(all, g.phases(o, name, round))
		}
	}
	return append(all, g.experiments(o)...)
}

// limits are measured outside of any session: what they send would be strangers there.
func (g *ground) limits(o options, round int) step {
	parts := limit.Parts{Where: g.where, For: o.limits}
	return step{
		what: fmt.Sprintf("limits of the machine, round %d", round), expects: 3*time.Second + 11*o.limits, apart: true,
		do: func(ctx context.Context) error { return parts.Measure(ctx, g.bench.Run, round) },
	}
}

func (g *ground) phases(o options, name string, round int) step {
	return step{
		what: fmt.Sprintf("%s, round %d", name, round), expects: o.expected(),
		do: func(ctx context.Context) error {
			o := o.of(name)
			s, err := g.system(name)
			if err != nil {
				return err
			}
			return g.bench.With(ctx, s, round, func(ctx context.Context, m *measure.Session) error {
				if s, ok := s.(*null.System); ok {
					return o.measureNull(ctx, m, s)
				}
				return o.measure(ctx, m)
			})
		},
	}
}

// measure is what one system goes through in one round.
func (o options) measure(ctx context.Context, m *measure.Session) error {
	phases := []struct {
		phase string
		do    func() error
	}{
		{phaseAccept, func() error { return m.Accept(ctx, 8, o.mails) }},
		{phaseAccept, func() error { return m.Accept(ctx, 64, o.mails) }},
		{phaseDrain, func() error { return o.drain(ctx, m) }},
		{phaseSustained, func() error { return m.Sustained(ctx, 8, o.mails) }},
		{phaseSustained, func() error { return m.Sustained(ctx, 64, o.mails) }},
		{phaseSteady, func() error { return m.Steady(ctx, 200, o.steady) }},
	}
	for _, p := range phases {
		if !o.wants(p.phase) {
			continue
		}
		if err := p.do(); err != nil {
			return fmt.Errorf("%s: %w", p.phase, err)
		}
	}
	m.NoteMemory(result.Memory)
	return m.Rest(ctx)
}

// drain sends what the phase of accepting has left, or as much.
func (o options) drain(ctx context.Context, m *measure.Session) error {
	if !o.wants(phaseAccept) {
		if err := m.HandIn(ctx, 64, 2*o.mails); err != nil {
			return err
		}
	}
	return m.Drain(ctx, result.Drain)
}

// expected is how long a round of a system takes, very roughly: some thousand mails a
// second.
func (o options) expected() time.Duration {
	per := time.Duration(o.mails) * 250 * time.Microsecond
	sum := 4 * time.Second // to start and to stop
	for phase, takes := range map[string]time.Duration{
		phaseAccept: per, phaseDrain: 2 * per, phaseSustained: 3 * per, phaseSteady: o.steady,
	} {
		if o.wants(phase) {
			sum += takes
		}
	}
	return sum
}
