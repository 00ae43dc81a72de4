package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"

	"github.com/postrider/postrider/bench/result"
)

// goal is a bound on a measure of the product, or on its ratio to another measure of
// the same round.
type goal struct {
	what    string
	measure string // of the product; may hold <least> or <most>
	to      place  // none: the bound is on the value itself
	bound   bound
}

// place is where a number is found.
type place struct {
	system  string
	measure string // "": the goal's
}

// bound is the last value that still counts as met.
type bound struct {
	value float64
	most  bool // no more is allowed; otherwise no less
	unit  string
}

// goals are all of them. CPU and latencies are to be low, rates high.
func goals() []goal {
	river := place{system: "river"}
	goMail := place{result.Limit, "smtp-gomail-32.rate"}
	return []goal{
		{"sustained by 8 callers, of River", "sustained-8.rate", river, atLeast(1.5)},
		{"sustained by 64 callers, of River", "sustained-64.rate", river, atLeast(2.2)},
		{"the same, as our callers use HTTP and River's do not", "sustained-64.rate", river, atLeast(1.8)},
		{"drain, of River", "drain.rate", river, atLeast(1.3)},
		{"drain, of River as it comes", "drain.rate", place{system: "river-default"}, atLeast(5)},
		{"drain, of Asynq", "drain.rate", place{system: "asynq"}, atLeast(3)},
		{"drain, of Watermill", "drain.rate", place{system: "watermill"}, atLeast(4)},
		{"drain, of Postfix", "drain.rate", place{system: "postfix"}, atLeast(8)},
		{"drain, of our own with no SMTP", "drain.rate", place{system: "postrider-null"}, atLeast(0.75)},
		{"drain, of go-mail alone on 32 sessions", "drain.rate", goMail, atLeast(0.75)},
		{"accept from 64 callers, of River", "accept-64.rate", river, atLeast(3)},
		{"p99 of accept from 64 callers, of River", "accept-64.p99", river, atMost(0.5, timesUnit)},
		{"p50 at 200 mails/s", "steady.p50", place{}, atMost(2, " ms")},
		{"p99 at 200 mails/s", "steady.p99", place{}, atMost(10, " ms")},
		{"CPU sustained by 64 callers, of River", "sustained-64.cpu", river, atMost(0.5, timesUnit)},
		{"CPU at 200 mails/s, of River", "steady.cpu", river, atMost(1, timesUnit)},
		{"accept while mails wait, of its own", "backlog-<most>.accept", place{product, "backlog-<least>.accept"}, atLeast(0.9)},
		{"drain while 100k wait, of its own", "backlog-100000.drain", place{product, "backlog-<least>.drain"}, atLeast(0.9)},
		{"drain while the most wait, of its own", "backlog-<most>.drain", place{product, "backlog-<least>.drain"}, atLeast(0.9)},
		{"memory of the largest process", "memory.<most>", place{}, atMost(64, " MiB")},
		{"p99 of lane critical behind a backlog", "critical-<most>.p99", place{}, atMost(1000, " ms")},
	}
}

func atLeast(ratio float64) bound             { return bound{ratio, false, timesUnit} }
func atMost(value float64, unit string) bound { return bound{value, true, unit} }

func (b bound) String() string {
	if b.most {
		return fmt.Sprintf("at most %g%s", b.value, b.unit)
	}
	return fmt.Sprintf("at least %g%s", b.value, b.unit)
}

// words are what was measured, in the unit of the bound.
func (b bound) words(s result.Spread) string {
	if b.unit == timesUnit {
		return times(s)
	}
	return spreadIn(s, b.unit, human)
}

func (b bound) holds(value float64) bool {
	if b.most {
		return value <= b.value
	}
	return value >= b.value
}

// What becomes of a goal.
const (
	met         = "met"
	missed      = "missed"
	notMeasured = "not measured"
)

// judge returns what was found, in words, and what becomes of the goal. The median over
// the rounds counts.
func (g goal) judge(run *result.Run) (found, verdict string) {
	mine := resolve(run, g.measure)
	theirs := resolve(run, cmp.Or(g.to.measure, g.measure))
	if g.to.system == product && mine == theirs {
		return "", notMeasured // backlogs of one size show no growth
	}
	s, detail := run.Spread(product, mine), subject(mine)
	if g.to.system != "" {
		s = run.Ratio(product, mine, g.to.system, theirs)
	}
	if s.Rounds == 0 {
		return "", notMeasured
	}
	if g.to.system == product {
		detail += " to " + subject(theirs)
	}
	found = g.bound.words(s)
	if detail != "" {
		found += " (" + detail + ")"
	}
	if g.bound.holds(s.Median) {
		return found, met
	}
	return found, missed
}

// Goals writes each goal with what was measured and whether it is met, and what goals leave
// of the CPU.
func Goals(w io.Writer, run *result.Run) error {
	var b bytes.Buffer
	for _, t := range aboutGoals(run) {
		t.text(&b)
	}
	_, err := b.WriteTo(w)
	return err
}

// aboutGoals are the tables of goals.
func aboutGoals(run *result.Run) []table {
	all := []table{goalTable(run)}
	if r := room(run); len(r.rows) > 0 {
		all = append(all, r)
	}
	return all
}

func goalTable(run *result.Run) table {
	t := table{heads: []string{"measured", "asked", ""}}
	tally := map[string]int{}
	for _, g := range goals() {
		found, verdict := g.judge(run)
		tally[verdict]++
		t.rows = append(t.rows, row{label: g.what, cells: []string{found, g.bound.String(), verdict}})
	}
	t.title = fmt.Sprintf("Goals: %d met, %d missed, %d not measured", tally[met], tally[missed], tally[notMeasured])
	return t
}
