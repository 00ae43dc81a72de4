package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// killPoint is an exact step at which a process is killed, stopped or robbed of an
// answer, and what must come of it. It is repeated with one mail each time, under
// either on_unknown.
type killPoint struct {
	name  string
	row   int    // of the table of faults
	fault string // what is done
	seen  string // what must be seen, beside the invariants
	end   ending
	// within is how soon after the fault another must have the mail in hand;
	// 0: no matter.
	within   time.Duration
	times    int  // in the published figure, under either on_unknown
	slow     bool // too slow for every run of the tests
	onlyOnce bool // in those, under resend alone: the other is the same but for the wait
	later    bool // its end takes a lease or a sweep and is looked for after all repetitions
	cast     cast
	env      map[string]string // settings over those of a user who sets none
	once     func(ctx context.Context, e *episode) error
}

// cast is who plays: in the tests, points of one cast follow each other on one
// stage.
type cast struct {
	name                 string
	producers, consumers int
}

// The casts. Where a relay, a sweep or a consumer dies, another one lives.
var (
	oneProducer  = cast{"one producer", 1, 1}
	twoRelays    = cast{"two relays", 2, 1}
	longPauses   = cast{"two relays, one stopped", 2, 1}
	threeSweeps  = cast{"three sweeps", 3, 1}
	twoConsumers = cast{"two consumers", 1, 2}
	doubts       = cast{"two consumers, outcomes lost", 1, 2}
	stalls       = cast{"two consumers, one stopped", 1, 2}
)

// ending is what becomes of the mail of a point.
type ending int

const (
	// sentOnce: it is sent, in one copy and without a doubt, under either
	// on_unknown. The bound on duplicates is 0.
	sentOnce ending = iota
	// inWindow: the final dot may have been written and the outcome is lost. One
	// unknown outcome is on record. It is resent, the bound is one more copy for
	// each fault; under hold it ends as unknown, in one copy at most.
	inWindow
	// marked: as inWindow by what the database knows, but the dot was never
	// written: one copy in all, none under hold.
	marked
	// settledLate: as inWindow, but the holder lives and brings its 250 in the
	// end: sent, also under hold.
	settledLate
)

func (e ending) bound() int {
	if e == inWindow || e == settledLate {
		return 1
	}
	return 0
}

// requires puts the point into the words of a figure.
func (p *killPoint) requires() string {
	bound := "duplicates 0, also under hold"
	switch p.end {
	case inWindow, settledLate:
		bound = "at most one more copy for each, under hold none"
	case marked:
		bound = "one copy, under hold none and the state unknown"
	case sentOnce:
	}
	if p.end == inWindow {
		bound += " and the state unknown"
	}
	text := fmt.Sprintf("%s, %d times under resend and under hold: lost 0, %s; %s", p.fault, p.times, bound, p.seen)
	if p.within > 0 {
		text += fmt.Sprintf("; in another's hands within %s", p.within)
	}
	return text
}

// killPoints are all of them. The first thirteen rows of the table are the steps
// of a mail's way at which a process can die.
func killPoints() []*killPoint {
	return slices.Concat(apiPoints(), relayPoints(), sweepPoints(), consumerPoints(), stopPoints(), replyPoints())
}

// points are the experiments that kill or stop a process at an exact step.
func points() []experiment {
	var all []experiment
	for _, p := range killPoints() {
		all = append(all, experiment{
			name: "point-" + p.name, requires: p.requires(), takes: p.takes(),
			run: func(ctx context.Context, b *bench) (measurement, error) { return series(ctx, b, p) },
		})
	}
	return all
}

func (p *killPoint) takes() time.Duration {
	return time.Duration(2*p.times)*time.Second + 45*time.Second
}

// policies are what a mail's author can want of an unknown outcome.
func policies() []message.OnUnknown { return []message.OnUnknown{message.Resend, message.Hold} }
