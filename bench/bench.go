package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/postrider"
	"github.com/postrider/postrider/bench/result"
	"github.com/postrider/postrider/bench/sink"
)

// bench runs everything that was asked for.
func bench(ctx context.Context, o options) error {
	p, err := place(ctx, o)
	if err != nil {
		return err
	}
	defer p.close()
	for round := 1; round <= o.rounds; round++ {
		for _, s := range p.systems {
			if err := p.bench.With(ctx, s, round, func(ctx context.Context, m *measure.Session) error {
				return o.phasesOf(ctx, m)
			}); err != nil {
				return err
			}
		}
	}
	if o.out != "" {
		text, err := json.MarshalIndent(p.bench.Run, "", " ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.out, text, 0o644)
	}
	for _, s := range p.bench.Run.Samples {
		fmt.Printf("%-14s %-30s %d %10.3f\n", s.System, s.Measure, s.Round, s.Value)
	}
	return nil
}

// phasesOf is what one system goes through in one round.
func (o options) phasesOf(ctx context.Context, m *measure.Session) error {
	wanted := func(phase string) bool { return len(o.phases) == 0 || slices.Contains(o.phases, phase) }
	steps := []struct {
		phase string
		do    func() error
	}{
		{"accept", func() error { return m.Accept(ctx, 8, o.mails) }},
		{"accept", func() error { return m.Accept(ctx, 64, o.mails) }},
		{"drain", func() error { return m.Drain(ctx, result.Drain) }},
		{"sustained", func() error { return m.Sustained(ctx, 8, o.mails) }},
		{"sustained", func() error { return m.Sustained(ctx, 64, o.mails) }},
		{"steady", func() error { return m.Steady(ctx, 200, o.steady) }},
	}
	for _, s := range steps {
		if !wanted(s.phase) {
			continue
		}
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.phase, err)
		}
	}
	return m.Rest(ctx)
}

// ground is what a run stands on.
type ground struct {
	bench   *measure.Bench
	systems []job.System
	dir     string
}

func place(ctx context.Context, o options) (_ *ground, err error) {
	g := &ground{}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	services, err := rig.Shared()
	if err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp("", "postrider-bench-"); err != nil {
		return nil, err
	}
	programs, err := rig.Build(ctx, root, filepath.Join(g.dir, "bin"), false)
	if err != nil {
		return nil, err
	}
	s, err := sink.Start()
	if err != nil {
		return nil, err
	}
	servers, err := measure.Servers(ctx, services)
	g.bench = &measure.Bench{Run: &result.Run{Begun: time.Now(), Plan: o.plan}, Sink: s, Servers: servers, Say: say}
	where := job.Where{Sink: s.SMTP, Database: services.Database, Broker: services.Broker, Dir: g.dir, Workers: o.workers}
	g.systems = []job.System{postrider.New(postrider.Config{Name: "postrider", Programs: programs, Services: services, Where: where})}
	return g, err
}

func (g *ground) close() {
	if g.bench != nil {
		g.bench.Sink.Stop()
	}
	if err := os.RemoveAll(g.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		say("%v", err)
	}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
