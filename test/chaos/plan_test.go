package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"
)

func planOf(t *testing.T, args ...string) []planned {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return plan(o)
}

// sequence is a plan without what cannot be compared.
func sequence(list []planned) []string {
	var lines []string
	for _, f := range list {
		lines = append(lines, fmt.Sprint(f.number, f.at, f.kind.name, f.target(), f.lasts, f.pick))
	}
	return lines
}

func TestTheSameSeedMakesTheSameFaults(t *testing.T) {
	one, again, other := sequence(planOf(t, "-seed", "7")), sequence(planOf(t, "-seed", "7")), sequence(planOf(t, "-seed", "8"))
	if !reflect.DeepEqual(one, again) {
		t.Error("two plans of one seed differ")
	}
	if reflect.DeepEqual(one, other) {
		t.Error("two seeds make one plan")
	}
}

func TestEveryKindHasItsTurnInTime(t *testing.T) {
	for _, mode := range []string{modeDistributed, modeEmbedded} {
		for seed := range 300 {
			list := planOf(t, "-mode", mode, "-seed", fmt.Sprint(seed+1))
			for _, k := range choose("all", mode) {
				if !slices.ContainsFunc(list, func(f planned) bool { return f.kind.name == k.name }) {
					t.Errorf("%s, seed %d: no %s in two minutes", mode, seed+1, k.name)
				}
			}
			if last := list[len(list)-1]; last.at+last.lasts > 2*time.Minute {
				t.Errorf("%s, seed %d: the last fault ends at %v", mode, seed+1, last.at+last.lasts)
			}
		}
	}
}

func TestKindsAreChosenByName(t *testing.T) {
	for _, c := range []struct {
		faults, mode string
		want         []string
	}{
		{"kill", modeDistributed, []string{"producer-kill", "consumer-kill", "rabbitmq-kill", "postgres-kill"}},
		{"consumer,queue-purge", modeDistributed, []string{"consumer-kill", "consumer-pause", "consumer-restart", "queue-purge"}},
		{"kill", modeEmbedded, []string{"serve-kill"}},
		{"all", modeEmbedded, []string{"serve-kill", "serve-pause", "serve-restart", "relayhost-disconnect"}},
		{"nonsense", modeDistributed, nil},
	} {
		if got := names(choose(c.faults, c.mode)); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s in %s: %v, want %v", c.faults, c.mode, got, c.want)
		}
	}
}
