// Package experiment is what is measured of Postrider alone: how it does while mails
// wait, with more processes, and far from its relay host.
package experiment

import (
	"context"
	"maps"

	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/postrider"
)

// callers is how many hand in mails at once.
const callers = 64

// Ground is what experiments stand on. Its methods are called one at a time; each runs
// a Postrider of its own.
type Ground struct {
	Bench *measure.Bench
	Own   postrider.Config // as in the rounds; its name is that of the samples
	Mails int              // in a phase
}

// with runs Postrider as it is after a change of its configuration.
func (g Ground) with(ctx context.Context, round int, change func(*postrider.Config), do func(context.Context, *measure.Session, *postrider.System) error) error {
	c := g.Own
	c.Env = maps.Clone(c.Env)
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	change(&c)
	s := postrider.New(c)
	return g.Bench.With(ctx, s, round, func(ctx context.Context, m *measure.Session) error { return do(ctx, m, s) })
}

// asItIs changes nothing.
func asItIs(*postrider.Config) {}
