package experiment

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/bench/delay"
	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/postrider"
	"github.com/postrider/postrider/bench/result"
)

// channels is how many mails each consumer process sends at the same time where it is
// their number that is changed.
const channels = 32

// connections is what a process may open to Postgres, so that all together stay below
// the hundred that it has by default.
const connections = "8"

// Consumers measures the drain by so many consumer processes. All are started before
// there are mails, and held still while these are handed in: otherwise the first would
// have sent them before the last is ready.
func (g Ground) Consumers(ctx context.Context, processes, round int) error {
	change := func(c *postrider.Config) {
		c.Consumers = processes
		c.Env["POSTRIDER_CONSUMERS"] = fmt.Sprintf("normal:%d", channels)
		c.Env["POSTRIDER_DATABASE_CONNS"] = connections
	}
	return g.with(ctx, round, change, func(ctx context.Context, m *measure.Session, s *postrider.System) error {
		if err := m.Work(ctx); err != nil {
			return err
		}
		if err := s.Hold(); err != nil {
			return err
		}
		if err := m.HandIn(ctx, callers, g.Mails); err != nil {
			return err
		}
		if err := m.DrainHeld(ctx, func(what string) string { return result.Consumers(processes, what) }, s.Release); err != nil {
			return err
		}
		return m.Rest(ctx)
	})
}

// Producers measures the taking in of mails by so many producer processes.
func (g Ground) Producers(ctx context.Context, processes, round int) error {
	change := func(c *postrider.Config) { c.Producers = processes }
	return g.with(ctx, round, change, func(ctx context.Context, m *measure.Session, _ *postrider.System) error {
		return m.AcceptAs(ctx, func(what string) string { return result.Producers(processes, what) }, callers, g.Mails)
	})
}

// RoundTrip is how far away the relay host of Far is.
const RoundTrip = 20 * time.Millisecond

// Far measures the drain by one consumer process with so many sessions to a relay host
// that is RoundTrip away. The sessions are the limit where there are few: each sends a
// mail in as many round trips as its conversation takes. With two, 16 sessions send 400
// mails a second at most, and 512 send 12,800, which is more than a small machine can.
func (g Ground) Far(ctx context.Context, sessions, round int) error {
	proxy, err := delay.Listen(g.Own.Where.Sink, RoundTrip)
	if err != nil {
		return err
	}
	defer proxy.Close()
	change := func(c *postrider.Config) {
		c.Where.Sink = proxy.Addr()
		c.Env["POSTRIDER_CONSUMERS"] = fmt.Sprintf("normal:%d", sessions)
	}
	name := func(what string) string { return result.Far(sessions, what) }
	if err := g.drain(ctx, round, change, name); err != nil {
		return err
	}
	g.noteTrips(name, sessions, round)
	return nil
}

// noteTrips notes how long a session was at a mail, in round trips.
func (g Ground) noteTrips(name measure.Name, sessions, round int) {
	if rate := g.Bench.Run.Values(g.Own.Name, name(result.Rate))[round]; rate > 0 {
		g.Bench.Run.Note(g.Own.Name, name(result.Trips), round, float64(sessions)/rate/RoundTrip.Seconds())
	}
}

func (g Ground) drain(ctx context.Context, round int, change func(*postrider.Config), name measure.Name) error {
	return g.with(ctx, round, change, func(ctx context.Context, m *measure.Session, _ *postrider.System) error {
		if err := m.HandIn(ctx, callers, g.Mails); err != nil {
			return err
		}
		if err := m.Drain(ctx, name); err != nil {
			return err
		}
		return m.Rest(ctx)
	})
}
