package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// campaign makes experiments one after the other and records each.
type campaign struct {
	options
	record  *record
	out     io.Writer
	source  source
	machine machine
	grounds *grounds
	dir     string // for programs, logs and databases
	failed  []string
}

// newCampaign builds the programs and starts the services.
func newCampaign(ctx context.Context, o options, rec *record, out io.Writer) (*campaign, error) {
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postrider-faults-")
	if err != nil {
		return nil, err
	}
	c := &campaign{options: o, record: rec, out: out, source: thisSource(ctx, root), dir: dir}
	fmt.Fprintln(out, "building the programs, starting the services; logs are in", dir)
	programs, err := rig.Build(ctx, root, filepath.Join(dir, "bin"), false)
	if err != nil {
		return nil, err
	}
	services, err := rig.Private(ctx, root, o.services)
	if err != nil {
		return nil, err
	}
	c.grounds = &grounds{programs: programs, services: services}
	c.machine = thisMachine(ctx, services.Database, services.Management)
	return c, nil
}

// close keeps the logs of what failed.
func (c *campaign) close() error {
	err := c.grounds.services.Close()
	if len(c.failed) == 0 {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return err
}

func (c *campaign) run(ctx context.Context, chosen []experiment) error {
	for i, e := range chosen {
		fmt.Fprintf(c.out, "[%d/%d] %s, about %s\n", i+1, len(chosen), e.name, e.takes)
		if c.resume && c.record.done(e.name, c.form(), c.source.code) {
			fmt.Fprintln(c.out, "  passed before with this code: left out (-resume=false makes it again)")
			continue
		}
		if err := c.make(ctx, e); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped at %s; the same command goes on there: %w", e.name, ctx.Err())
		}
	}
	fmt.Fprintln(c.out)
	if err := c.record.writeTable(c.out, chosen); err != nil {
		return err
	}
	if len(c.failed) > 0 {
		return fmt.Errorf("%w: %s", errFailed, strings.Join(c.failed, ", "))
	}
	return nil
}

// make runs one experiment and adds its row, but for one that was interrupted.
func (c *campaign) make(ctx context.Context, e experiment) error {
	b := &bench{
		name: e.name, short: c.short, times: c.times, started: time.Now(), out: c.out,
		grounds: c.grounds, dir: filepath.Join(c.dir, e.name),
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "  required: %s\n", e.requires)
	limited, cancel := context.WithTimeout(ctx, 2*e.takes+10*time.Minute)
	defer cancel()
	var m measurement
	err := c.revive(limited)
	if err == nil {
		m, err = guarded(limited, e, b)
	}
	if ctx.Err() != nil {
		return nil
	}
	one := row{
		Name: e.name, Command: c.command(e.name), Date: b.started.UTC().Truncate(time.Second),
		Commit: c.source.commit, Code: c.source.code, Form: c.form(),
		Requires: e.requires, Measured: m.summary, Pass: err == nil,
		Seconds: time.Since(b.started).Seconds(), Machine: c.machine, Report: m.report,
	}
	if err != nil {
		one.Failure = err.Error()
		c.failed = append(c.failed, e.name)
	}
	c.show(one)
	return c.record.add(one)
}

// revive has the services run, whatever the experiment before has left of them.
func (c *campaign) revive(ctx context.Context) error {
	if c.grounds == nil {
		return nil
	}
	services := c.grounds.services
	for _, resume := range []string{"postgres-resume", "rabbitmq-resume"} {
		_ = services.Fault(ctx, resume) // what does not run is started next
	}
	return services.Fault(ctx, "up")
}

func (c *campaign) show(one row) {
	if one.Report != nil {
		fmt.Fprintln(c.out)
		for line := range strings.Lines(one.Report.Text()) {
			fmt.Fprint(c.out, "  ", line)
		}
		fmt.Fprintln(c.out)
	}
	fmt.Fprintf(c.out, "  measured: %s\n", one.Measured)
	if one.Pass {
		fmt.Fprintf(c.out, "  PASS after %.0f s\n", one.Seconds)
		return
	}
	fmt.Fprintf(c.out, "  FAIL after %.0f s: %s\n", one.Seconds, one.Failure)
}

var errPanicked = errors.New("the experiment panicked")

// guarded keeps one broken experiment from ending all.
func guarded(ctx context.Context, e experiment, b *bench) (m measurement, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanicked, p, debug.Stack())
		}
	}()
	return e.run(ctx, b)
}
