package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/pause"
)

const (
	watchEvery = 5 * time.Second
	watchLimit = 3 * time.Second // for all checks together
	sayAgain   = 30 * time.Second
	sayAtLeast = 10 * time.Minute
)

// fault is what is wrong with a part.
type fault struct {
	cause  string              // one of the check's
	status httpapi.CheckStatus // how much of the program's work it stops
	detail string              // shown to whoever can reach the port: no secret
	remedy string
	err    error // for the log alone; nil: the detail says it all
}

// causeStarting is a part that has not had its first chance yet: shown, and no
// fault.
const causeStarting = "starting"

// check looks at one part. Look returns nil when all is well, and when its
// context ends at the latest.
type check struct {
	part   string
	causes []string // all that look can name
	look   func(context.Context) *fault
}

// tally counts faults; metrics.Metrics is one.
type tally interface {
	DefineFault(part string, causes ...string)
	FaultBegan(part, cause string)
	FaultLasted(part string, d time.Duration)
}

// watch is the one judge of whether the parts of a program are well: what
// /readyz answers, the counters of faults and the lines in the log that begin
// and end a fault come of the same look, so that they cannot disagree. Every
// question to /readyz is a look; the watch takes one itself every 5 s, so that a
// fault is seen when nobody asks.
type watch struct {
	log    *slog.Logger
	tally  tally
	checks []check

	mu      sync.Mutex
	states  []state // of the checks, in their order
	answers []httpapi.Check
	ended   time.Time // when the last look did

	ctx    context.Context
	end    context.CancelFunc
	rounds sync.WaitGroup
}

// state is what the last look at a part found.
type state struct {
	fault *fault
	at    time.Time // of the last look
	since time.Time // with a fault: when it was first seen
	said  time.Time // with a fault: when the log was last told
	pause time.Duration
}

func newWatch(log *slog.Logger, t tally) *watch {
	w := &watch{log: log, tally: t}
	w.ctx, w.end = context.WithCancel(context.Background())
	return w
}

// add is for before the first look.
func (w *watch) add(c check) {
	w.checks = append(w.checks, c)
	w.states = append(w.states, state{})
	w.tally.DefineFault(label(c.part), c.causes...)
}

// label is a part's name as metrics have it.
func label(part string) string { return strings.ReplaceAll(part, " ", "_") }

func (w *watch) start() {
	w.rounds.Go(func() {
		for pause.Jittered(w.ctx, watchEvery) == nil {
			ctx, cancel := context.WithTimeout(w.ctx, watchLimit)
			w.Check(ctx)
			cancel()
		}
	})
}

func (w *watch) stop() {
	w.end()
	w.rounds.Wait()
}

// Check implements httpapi.Health.
func (w *watch) Check(ctx context.Context) []httpapi.Check { return w.since(ctx, time.Now()) }

// since is what a look found that ended after it was asked for. Who had to wait for the
// look of another has less time left than a part may take to answer: a look of his own
// would find a slow part at fault that is not.
func (w *watch) since(ctx context.Context, asked time.Time) []httpapi.Check {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended.After(asked) {
		w.answers = w.look(ctx)
		w.ended = time.Now()
	}
	return slices.Clone(w.answers)
}

// look asks all parts at once.
func (w *watch) look(ctx context.Context) []httpapi.Check {
	found := make([]*fault, len(w.checks))
	var looks sync.WaitGroup
	for i, c := range w.checks {
		looks.Go(func() { found[i] = c.look(ctx) })
	}
	looks.Wait()
	answers := make([]httpapi.Check, len(w.checks))
	for i, c := range w.checks {
		answers[i] = httpapi.Check{Name: c.part, Status: httpapi.CheckOK}
		if f := found[i]; f != nil {
			answers[i] = httpapi.Check{Name: c.part, Status: f.status, Cause: f.cause, Detail: f.detail, Remedy: f.remedy}
		}
		if w.ctx.Err() == nil { // a part that is being stopped is not at fault
			w.judge(c.part, &w.states[i], found[i], time.Now())
		}
		if w.states[i].fault != nil {
			since := w.states[i].since
			answers[i].Since = &since
		}
	}
	return answers
}

// judge counts and tells what has changed since the last look.
func (w *watch) judge(part string, s *state, found *fault, now time.Time) {
	if found != nil && found.cause == causeStarting {
		found = nil
	}
	last := s.fault
	if last != nil {
		w.tally.FaultLasted(label(part), now.Sub(s.at))
	}
	s.at, s.fault = now, found
	switch {
	case found == nil && last == nil:
	case found == nil:
		w.log.Info("fault is over", "part", part, "cause", last.cause, "lasted", now.Sub(s.since))
	case last == nil || last.cause != found.cause:
		w.tally.FaultBegan(label(part), found.cause)
		if last == nil {
			s.since = now
		}
		s.said, s.pause = now, sayAgain
		w.tell("fault", part, s)
	case now.Sub(s.said) >= s.pause:
		s.said, s.pause = now, min(2*s.pause, sayAtLeast)
		w.tell("fault lasts", part, s)
	}
}

// tell writes one line; a fault that stops the program's work is an error.
func (w *watch) tell(what, part string, s *state) {
	f := s.fault
	level := slog.LevelWarn
	if f.status == httpapi.CheckDown {
		level = slog.LevelError
	}
	log := w.log.With("part", part, "cause", f.cause, "detail", f.detail)
	if f.err != nil {
		log = log.With("error", f.err)
	}
	if d := s.at.Sub(s.since); d > 0 {
		log = log.With("for", d)
	}
	log.Log(context.Background(), level, what, "remedy", f.remedy)
}
