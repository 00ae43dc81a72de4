package main

import (
	"regexp"
	"testing"
)

func TestWhatACommandSaysIsItsMeasurement(t *testing.T) {
	t.Parallel()
	run := target(regexp.MustCompile(`(?m)^ +make run +.*$`), "help")
	m, err := run(t.Context(), &bench{})
	if want := "make run build and start everything in one process, with a development inbox; needs only Go"; err != nil || m.summary != want {
		t.Errorf("%q, want %q: %v", m.summary, want, err)
	}
	if m, err = target(regexp.MustCompile(`.*`), "no-such-target")(t.Context(), &bench{}); err == nil {
		t.Errorf("a target that fails has passed: %q", m.summary)
	}
}
