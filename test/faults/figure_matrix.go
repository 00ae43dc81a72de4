package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// matrixFigures are test runs on other versions than those at hand, of ours and of
// what we stand on. They judge by their exit.
func matrixFigures() []experiment {
	return []experiment{
		{
			name:     "upgrade",
			requires: "producers and consumers of an earlier commit beside those of this one, under load, replaced one by one forward, back and forward: every mail sent once",
			takes:    4 * time.Minute,
			run:      target("upgrade-test"),
		},
		{
			name:     "postgres-18",
			requires: "the store's suite and the stories on Postgres 18: all pass",
			takes:    5 * time.Minute,
			run:      target("test-postgres18"),
		},
	}
}

// target makes a target of the Makefile that runs tests.
func target(name string) playFunc {
	tally := regexp.MustCompile(`(?m)^\d+ passed, \d+ failed, \d+ skipped$`)
	return func(ctx context.Context, b *bench) (m measurement, err error) {
		root, err := rig.Root()
		if err != nil {
			return m, err
		}
		var out bytes.Buffer
		run := exec.CommandContext(ctx, "make", "--no-print-directory", name)
		run.Dir, run.Stdout, run.Stderr, run.WaitDelay = root, &out, &out, time.Second
		err = run.Run()
		m.summary = string(tally.Find(out.Bytes()))
		if err != nil {
			return m, fmt.Errorf("make %s: %w\n%s", name, err, out.Bytes())
		}
		return m, nil
	}
}
