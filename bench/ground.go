package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/peer"
	"github.com/postrider/postrider/bench/result"
	"github.com/postrider/postrider/bench/sink"
)

// redisVariable is where scripts/services.sh writes the URL of Redis.
const redisVariable = "POSTRIDER_TEST_REDIS_URL"

// ground is what a run stands on.
type ground struct {
	root     string // of the checkout
	dir      string // for programs, logs and files; gone after the run
	bench    *measure.Bench
	programs *rig.Programs
	services *rig.Services
	where    job.Where
}

// prepare builds what is measured, and finds and starts what it needs. The caller
// closes the ground, unless there was an error.
func prepare(ctx context.Context, o options, run *result.Run) (_ *ground, err error) {
	g := &ground{bench: &measure.Bench{Run: run}}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.root, err = rig.Root(); err != nil {
		return nil, err
	}
	if g.services, err = rig.Shared(); err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp("", "postrider-bench-"); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	if g.programs, err = rig.Build(ctx, g.root, filepath.Join(g.dir, "bin"), false); err != nil {
		return nil, err
	}
	if g.bench.Servers, err = measure.Servers(ctx, g.services); err != nil {
		return nil, err
	}
	if g.bench.Sink, err = sink.Start(); err != nil {
		return nil, err
	}
	g.where = job.Where{
		Sink: g.bench.Sink.SMTP, Database: g.services.Database, Broker: g.services.Broker,
		Dir: g.dir, Workers: o.workers,
	}
	g.findRedis(ctx)
	return g, nil
}

// findRedis makes Redis known where it runs; the peers that need it say so themselves.
func (g *ground) findRedis(ctx context.Context) {
	url := os.Getenv(redisVariable)
	if url == "" {
		return
	}
	pid, err := measure.Redis(ctx, url)
	if err != nil {
		say("going on without Redis: %v", err)
		return
	}
	g.where.Redis, g.bench.Servers[job.Redis] = url, pid
}

// system makes one by its name in the tables.
func (g *ground) system(name string) (job.System, error) {
	if o, ok := ownNamed(name); ok {
		return g.newOwn(o)
	}
	return peer.New(name, g.where)
}

func (g *ground) close() {
	if g.bench.Sink != nil {
		g.bench.Sink.Stop()
	}
	if err := os.RemoveAll(g.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		say("%v", err)
	}
}
