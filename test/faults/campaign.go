package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"
)

// campaign makes experiments one after the other and records each.
type campaign struct {
	options
	record  *record
	out     io.Writer
	source  source
	machine machine
	failed  []string
}

func newCampaign(ctx context.Context, o options, rec *record, out io.Writer) (*campaign, error) {
	return &campaign{options: o, record: rec, out: out, source: thisSource(ctx, ".")}, nil
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
	b := &bench{name: e.name, short: c.short, times: c.times, started: time.Now(), out: c.out}
	fmt.Fprintf(c.out, "  required: %s\n", e.requires)
	limited, cancel := context.WithTimeout(ctx, 2*e.takes+10*time.Minute)
	defer cancel()
	m, err := guarded(limited, e, b)
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
