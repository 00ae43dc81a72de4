package simulate_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/postrider/postrider/internal/simulate"
)

// run simulates one seed in a bubble of its own.
func run(t *testing.T, cfg simulate.Config) (r simulate.Result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		cfg.Wait = synctest.Wait
		r = simulate.Run(cfg)
	})
	return r
}

// inOrder has one goroutine run at a time. Then those that one step wakes run in
// an order that does not change from run to run.
func inOrder(t *testing.T) {
	t.Helper()
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// check fails for each seed that broke an invariant.
func check(t *testing.T, s *simulate.Summary) {
	t.Helper()
	for _, f := range s.Failures {
		t.Errorf("seed %d: %s", f.Seed, f.Violation)
	}
	t.Logf("%d seeds, %d steps, %d deliveries, %d mails in the sink, %d duplicates of %d allowed",
		s.Seeds, s.Steps, s.Deliveries, s.Copies, s.Duplicates, s.Excused)
}

func TestNoSeedBreaksAnInvariant(t *testing.T) {
	inOrder(t)
	var all simulate.Summary
	for seed := range uint64(ordinarySeeds) {
		r := run(t, simulate.Config{Seed: seed, Database: newInMemory, Trace: raced})
		if r.Violation != "" && raced { // it cannot be had again
			t.Log(strings.Join(r.Trace, "\n"))
		}
		all.Add(r)
	}
	check(t, &all)
	if raced {
		return
	}
	for _, f := range all.Faults.Unfired() {
		t.Errorf("never fired: %s", f)
	}
	if all.Duplicates == 0 {
		t.Error("no fault ever made a duplicate: the window is not met")
	}
}
