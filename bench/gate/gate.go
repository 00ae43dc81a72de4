// Package gate holds a run against what an earlier version of Postrider needed, by
// figures that a noisy machine can hold: what a mail takes from the heap and from the
// database, and its CPU beside that of River in the same round. Rates are not among
// them: on a shared machine they vary by more than a change of the code.
package gate

import (
	"github.com/postrider/postrider/bench/result"
)

// product and peer are systems of a run.
const (
	product = "postrider"
	peer    = "river"
)

// callers are those of the phase that the gate looks at. Batches are as large as there
// are mails at the same time, and their size shows in allocations and transactions; so
// the figures are of one phase, and of as many mails each time.
const callers = 64

// figure is one number that is to be small.
type figure struct {
	name      string // in the baseline
	words     string
	tolerance float64 // as a share of the value, for a new baseline
	of        func(*result.Run) result.Spread
}

func figures() []figure {
	counted := func(what string) func(*result.Run) result.Spread {
		return func(run *result.Run) result.Spread { return run.Spread(product, result.Sustained(callers, what)) }
	}
	toRiver := func(measure string) func(*result.Run) result.Spread {
		return func(run *result.Run) result.Spread { return run.Ratio(product, measure, peer, measure) }
	}
	return []figure{
		{"allocs-producer", "objects a mail, producer", 0.05, counted(result.Allocs + "producer")},
		{"alloc-bytes-producer", "bytes a mail, producer", 0.05, counted(result.AllocBytes + "producer")},
		{"allocs-consumer", "objects a mail, consumer", 0.05, counted(result.Allocs + "consumer")},
		{"alloc-bytes-consumer", "bytes a mail, consumer", 0.05, counted(result.AllocBytes + "consumer")},
		{"transactions", "writing transactions a mail", 0.25, counted(result.Transactions)},
		{"cpu-64", "CPU by 64 callers, of River", 0.15, toRiver(result.Sustained(64, result.CPU))},
		{"cpu-8", "CPU by 8 callers, of River", 0.15, toRiver(result.Sustained(8, result.CPU))},
	}
}

// What becomes of a figure.
const (
	held        = "held"
	better      = "better" // by more than the tolerance: a new baseline would hold it
	worse       = "worse"
	unbounded   = "no baseline"
	notMeasured = "not measured"
)

// Verdict is what became of one figure.
type Verdict struct {
	words   string
	now     result.Spread
	bound   Bound
	verdict string
}

// Judge holds the medians of a run against a baseline of the same conditions.
func Judge(run *result.Run, b *Baseline) []Verdict {
	var all []Verdict
	for _, f := range figures() {
		v := Verdict{words: f.words, now: f.of(run)}
		bound, known := b.Figures[f.name]
		v.bound = bound
		switch {
		case v.now.Rounds == 0:
			v.verdict = notMeasured
		case !known:
			v.verdict = unbounded
		default:
			v.verdict = bound.judge(v.now.Median)
		}
		all = append(all, v)
	}
	return all
}

// Worse reports whether a figure has got worse.
func Worse(all []Verdict) bool { return some(all, func(v Verdict) bool { return v.verdict == worse }) }

// Measured reports whether there is anything to judge.
func Measured(all []Verdict) bool { return some(all, func(v Verdict) bool { return v.now.Rounds > 0 }) }

func some(all []Verdict, is func(Verdict) bool) bool {
	for _, v := range all {
		if is(v) {
			return true
		}
	}
	return false
}
