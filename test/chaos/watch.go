package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
)

// sample is the state of a run at a moment.
type sample struct {
	At       time.Duration `json:"at"` // since the run began
	Accepted int           `json:"accepted"`
	Sent     int           `json:"sent"` // mails that the relay host has taken, twins counted
	Open     int           `json:"open"` // -1: the database did not say
}

// watch samples a run every second and shows how it goes.
type watch struct {
	a       *arena
	out     io.Writer
	live    bool // a terminal: one line that changes
	begun   time.Time
	samples []sample
}

const (
	samplesEvery = time.Second
	linesEvery   = 5 // samples, where the output is no terminal
)

func newWatch(a *arena, out io.Writer) *watch {
	file, ok := out.(*os.File)
	return &watch{a: a, out: out, begun: time.Now(), live: ok && isatty.IsTerminal(file.Fd())}
}

func (w *watch) run(ctx context.Context) {
	for wait(ctx, samplesEvery) {
		w.take(ctx)
		w.show()
	}
	if w.live {
		fmt.Fprintln(w.out)
	}
}

func (w *watch) take(ctx context.Context) {
	s := sample{At: time.Since(w.begun), Accepted: w.a.calls.Accepted(), Sent: w.a.relay.Stats().Accepted, Open: -1}
	if open, err := w.a.open(ctx); err == nil {
		s.Open = open
	}
	w.samples = append(w.samples, s)
}

func (w *watch) show() {
	s := w.samples[len(w.samples)-1]
	faults, last := w.a.faults.last()
	open := "?"
	if s.Open >= 0 {
		open = fmt.Sprint(s.Open)
	}
	line := fmt.Sprintf("%3d:%02d  accepted %d  sent %d  open %s  faults %d  last: %s",
		int(s.At.Minutes()), int(s.At.Seconds())%60, s.Accepted, s.Sent, open, faults, last)
	switch {
	case w.live:
		fmt.Fprintf(w.out, "\r\x1b[K%s", line)
	case len(w.samples)%linesEvery == 0:
		fmt.Fprintln(w.out, line)
	}
}
