package main

import (
	"io"
	"testing"
	"time"
)

// Figures that harm no service and take seconds hold in their short form too. The
// others are made by `make faults`.
func TestFiguresInShort(t *testing.T) {
	t.Parallel()
	g := testGrounds(t)
	for _, name := range []string{"worker-dead-before-dot", "sigterm"} {
		t.Run(name, func(t *testing.T) {
			e := named(figures(), name)[0]
			b := &bench{name: name, short: 5 * time.Second, started: time.Now(), out: io.Discard, grounds: g, dir: t.TempDir()}
			m, err := e.run(t.Context(), b)
			if err != nil {
				t.Error(err)
				if m.report != nil {
					t.Log("\n" + m.report.Text())
				}
			}
			t.Log(m.summary)
		})
	}
}

// A figure that cannot fail proves nothing: what was accepted and is nowhere, and a
// requirement that is not met, are failures.
func TestAVerdictNamesWhatIsNotAsRequired(t *testing.T) {
	var v verdict
	v.require(true, "fine")
	if v.err() != nil {
		t.Error(v.err())
	}
	v.require(false, "%d lost", 1)
	v.require(false, "too late")
	if err := v.err(); err == nil || err.Error() != "not as required: 1 lost; too late" {
		t.Error(err)
	}
}
