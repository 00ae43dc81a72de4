package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// commandFigures are targets of the Makefile, which judge by their exit: the other
// two layers of the proof, and other versions than those at hand, of ours and of what
// we stand on.
func commandFigures() []experiment {
	tests := regexp.MustCompile(`(?m)^\d+ passed, \d+ failed, \d+ skipped$`)
	chaos := regexp.MustCompile(`(?m)^(?:acknowledged|lost|duplicated|unexpected|recovered) +\d+|^drained .* over$`)
	seeds := regexp.MustCompile(`(?m)^\d+ seeds in .*$|^simulate: .*$`)
	const kills = `every 2 s for 10 min, 10,000 mails: lost 0, unexpected 0, duplicates at most the sends that were cut off inside the window, drained within 60 s`
	const lasting = `ARGS=-duration 10m -mails 10000 -interval 2s -faults kill -seed 1`
	const holds = `: every invariant holds, every kind of fault fires`
	return []experiment{
		{name: "chaos", requires: "kill -9 of a random part " + kills, takes: 13 * time.Minute, run: target(chaos, "chaos", lasting)},
		{name: "chaos-embedded", requires: "one process on SQLite, kill -9 " + kills, takes: 12 * time.Minute, run: target(chaos, "chaos", lasting+" -mode embedded")},
		{name: "chaos-all", requires: "every kind of fault at random for 2 min: as chaos", takes: 5 * time.Minute, run: target(chaos, "chaos")},
		{name: "simulate", requires: "100,000 seeds over the in-memory store" + holds, takes: 6 * time.Minute, run: target(seeds, "simulate", "SEEDS=100000")},
		{name: "simulate-sqlite", requires: "2,000 seeds over SQLite" + holds, takes: 3 * time.Minute, run: target(seeds, "simulate", "STORE=sqlite", "SEEDS=2000")},
		{name: "simulate-postgres", requires: "200 seeds over Postgres" + holds, takes: 3 * time.Minute, run: target(seeds, "simulate", "STORE=postgres", "SEEDS=200")},
		{
			name:     "upgrade",
			requires: "producers and consumers of an earlier commit beside those of this one, under load, replaced one by one forward, back and forward: every mail sent once",
			takes:    4 * time.Minute,
			run:      target(tests, "upgrade-test"),
		},
		{
			name:     "postgres-18",
			requires: "the store's suite and the stories on Postgres 18: all pass",
			takes:    5 * time.Minute,
			run:      target(tests, "test-postgres18"),
		},
		{
			name:     "database-servers",
			requires: "Postgres killed under load, failed over to a synchronous and to an asynchronous standby, out of disk for tables and for its log: nothing lost that its disk still has",
			takes:    2 * time.Minute,
			run:      target(tests, "database-faults"),
		},
	}
}

// target makes a target of the Makefile. What the pattern finds in its output is what
// was measured.
func target(said *regexp.Regexp, args ...string) playFunc {
	return func(ctx context.Context, b *bench) (m measurement, err error) {
		root, err := rig.Root()
		if err != nil {
			return m, err
		}
		var out bytes.Buffer
		run := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory"}, args...)...)
		run.Dir, run.Stdout, run.Stderr, run.WaitDelay = root, &out, &out, time.Second
		err = run.Run()
		m.summary = summary(said, out.String())
		if err != nil {
			return m, fmt.Errorf("make %s: %w\n%s", strings.Join(args, " "), err, lastOf(out.String()))
		}
		return m, nil
	}
}

func summary(said *regexp.Regexp, out string) string {
	var words []string
	for _, found := range said.FindAllString(out, -1) {
		words = append(words, strings.Join(strings.Fields(found), " "))
	}
	return strings.Join(words, ", ")
}

// lastOf keeps a row of the record from holding a whole log.
func lastOf(out string) string {
	const most = 2000
	if len(out) <= most {
		return out
	}
	return "…" + out[len(out)-most:]
}
