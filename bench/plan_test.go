package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/result"
)

func TestPlansNameWhatThereIs(t *testing.T) {
	for _, p := range plans() {
		var o options
		o.follow(p)
		o.plan, o.rounds, o.mails, o.workers, o.low, o.steady = p.name, 1, 1, 1, 1, time.Second
		if err := o.check(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	full := planNamed("full")
	if !slices.Equal(full.systems, systemNames()) || !slices.Equal(full.experiments, plannedExperiments()) {
		t.Errorf("the plan full leaves something out: %+v", full)
	}
}

// The goals and the gate compare with River, so it is in every plan.
func TestEveryPlanHasRiver(t *testing.T) {
	for _, p := range plans() {
		if !slices.Contains(p.systems, ownSystem) || !slices.Contains(p.systems, "river") {
			t.Errorf("%s has %v", p.name, p.systems)
		}
	}
}

func TestWorkersThatNeverRestHaveNoPhaseWithoutThem(t *testing.T) {
	for _, asked := range [][]string{nil, {phaseDrain, phaseSteady}} {
		o := options{phases: asked}.of("postrider-serve")
		if o.wants(phaseAccept) || o.wants(phaseDrain) || !o.wants(phaseSteady) || o.wants(phaseSustained) != (asked == nil) {
			t.Errorf("asked for %v it goes through %v", asked, o.phases)
		}
	}
	if o := (options{}).of("river"); !o.wants(phaseDrain) {
		t.Errorf("River goes through %v", o.phases)
	}
}

func TestEachSystemIsOnceTheFirst(t *testing.T) {
	systems := []string{"a", "b", "c"}
	for round, want := range []string{"a b c", "b c a", "c a b", "a b c"} {
		if got := strings.Join(rotated(systems, round+1), " "); got != want {
			t.Errorf("round %d: %s, want %s", round+1, got, want)
		}
	}
	if got := rotated(nil, 2); len(got) > 0 {
		t.Errorf("of none: %v", got)
	}
}

func TestOwnConfigurationsAreKnownToTheReport(t *testing.T) {
	for _, name := range ownNames() {
		if !strings.HasPrefix(name, ownSystem) {
			t.Errorf("report would take %s for a peer", name)
		}
	}
}

func TestBacklogsGrowTenfoldToTheLargest(t *testing.T) {
	for largest, want := range map[int][]int{
		0: {0}, 200: {0, 200}, 10_000: {0, 10_000}, 250_000: {0, 10_000, 100_000, 250_000},
		1_000_000: {0, 10_000, 100_000, 1_000_000},
	} {
		if got := backlogSizes(largest); !slices.Equal(got, want) {
			t.Errorf("up to %d: %v", largest, got)
		}
	}
}

func TestStepsAreThoseOfEveryRound(t *testing.T) {
	g := &ground{bench: &measure.Bench{Run: &result.Run{}}}
	o, err := readOptions(strings.Fields("-rounds 2 -systems postrider,river -experiments backlog,critical -backlog 1000000"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range g.steps(o) {
		got = append(got, s.what)
		if s.expects <= 0 {
			t.Errorf("%s is expected to take no time", s.what)
		}
	}
	want := []string{
		"limits of the machine, round 1", "postrider, round 1", "river, round 1",
		"limits of the machine, round 2", "river, round 2", "postrider, round 2",
		"backlog: 0, round 1", "backlog: 10k, round 1", "backlog: 100k, round 1", "backlog: 1M, round 1",
		"backlog: 0, round 2", "backlog: 10k, round 2", "backlog: 100k, round 2",
		"lane critical while 1M of lane low wait",
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps:\n%s", strings.Join(got, "\n"))
	}
}
