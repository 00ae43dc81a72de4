package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/postrider/postrider/bench/result"
)

// noting is a step that notes a number and then ends so.
func noting(run *result.Run, what string, end func() error) step {
	return step{what: what, do: func(context.Context) error {
		run.Note(what, "drain.rate", 1, 1)
		return end()
	}}
}

func systemsOf(run *result.Run) string {
	var names []string
	for _, s := range run.Samples {
		names = append(names, s.System)
	}
	return strings.Join(names, " ")
}

func TestAStepThatFailsLeavesTheOthers(t *testing.T) {
	run := &result.Run{}
	fine := func() error { return nil }
	broken := func() error { return errors.New("broken") }
	limits := noting(run, "limit", broken)
	limits.apart = true
	err := follow(t.Context(), run, []step{noting(run, "a", fine), noting(run, "b", broken), limits, noting(run, "c", fine)})
	if !errors.Is(err, errFailed) {
		t.Error(err)
	}
	if got := systemsOf(run); got != "a limit c" {
		t.Errorf("numbers of %s", got)
	}
	if got := strings.Join(run.Missing, "; "); got != "b: broken; limit: broken" {
		t.Errorf("missing: %s", got)
	}
}

func TestACutRunKeepsWhatItHas(t *testing.T) {
	run := &result.Run{}
	ctx, cut := context.WithCancel(t.Context())
	second := noting(run, "b", func() error {
		cut()
		return ctx.Err()
	})
	err := follow(ctx, run, []step{noting(run, "a", func() error { return nil }), second, noting(run, "c", func() error { return nil })})
	if !errors.Is(err, errCutShort) || errors.Is(err, errFailed) {
		t.Error(err)
	}
	if got := systemsOf(run); got != "a b" {
		t.Errorf("numbers of %s", got)
	}
	if got := strings.Join(run.Missing, "; "); got != "b: cut short; the run was cut short: 1 of its 3 parts were not begun" {
		t.Errorf("missing: %s", got)
	}
}
