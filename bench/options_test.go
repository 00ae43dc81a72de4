package main

import (
	"strings"
	"testing"
	"time"
)

func TestOptionsOverThoseOfThePlan(t *testing.T) {
	o, err := readOptions(strings.Fields("-plan full -systems river,postfix -experiments - -backlog 10000000 -limits 2s"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(o.systems, " ") != "river postfix" || len(o.experiments) > 0 || o.backlog != 10_000_000 || o.limits != 2*time.Second {
		t.Errorf("%+v", o)
	}
	if !o.wants(phaseDrain) || o.rounds != 3 {
		t.Errorf("what was not asked for is not the plan's: %+v", o)
	}
	if o, err = readOptions(strings.Fields("-plan gate")); err != nil || o.wants(phaseDrain) || !o.wants(phaseSustained) || o.limits != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestWrongOptionsSayWhatThereIs(t *testing.T) {
	for args, word := range map[string]string{
		"-plan quickly":          "there are quick, full, gate",
		"-systems postrider,x":   `no system "x"`,
		"-phases accepting":      "there are accept, drain",
		"-experiments critical,": `no experiment ""`,
		"-rounds 0":              "1 or more",
		"-steady 1ms":            "steady is 100ms or more",
		"quick":                  "-help lists",
	} {
		if _, err := readOptions(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestWhatWasTypedIsNamed(t *testing.T) {
	t.Setenv(commandVariable, "")
	if got := commandLine([]string{"-rounds", "1"}); got != "bench -rounds 1" {
		t.Error(got)
	}
	t.Setenv(commandVariable, "make bench")
	if got := commandLine([]string{"-rounds", "1"}); got != "make bench" {
		t.Error(got)
	}
}
