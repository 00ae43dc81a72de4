package simulate

import (
	"fmt"
	"strings"
)

// Summary is what many simulations came to together.
type Summary struct {
	Seeds, Steps         int
	Messages, Deliveries int
	Copies               int
	Duplicates, Excused  int
	Faults               Counts
	Failures             []Failure
	Failed               int // Failures holds the first few of them
}

// Failure is a seed whose simulation broke an invariant.
type Failure struct {
	Seed      uint64
	Violation string
	Steps     int
}

const keptFailures = 20

// Add counts one more result.
func (s *Summary) Add(r Result) {
	one := Summary{
		Seeds: 1, Steps: r.Steps, Messages: r.Messages, Deliveries: r.Deliveries, Copies: r.Copies,
		Duplicates: r.Duplicates, Excused: r.Excused, Faults: r.Faults,
	}
	if r.Violation != "" {
		one.Failed, one.Failures = 1, []Failure{{r.Seed, r.Violation, r.Steps}}
	}
	s.Join(one)
}

// Join adds another summary.
func (s *Summary) Join(other Summary) {
	s.Seeds += other.Seeds
	s.Steps += other.Steps
	s.Messages += other.Messages
	s.Deliveries += other.Deliveries
	s.Copies += other.Copies
	s.Duplicates += other.Duplicates
	s.Excused += other.Excused
	s.Faults.Add(other.Faults)
	s.Failed += other.Failed
	s.Failures = append(s.Failures, other.Failures...)
	s.Failures = s.Failures[:min(len(s.Failures), keptFailures)]
}

// Ok reports whether no invariant was broken and every kind of fault fired.
func (s *Summary) Ok() bool { return s.Failed == 0 && len(s.Faults.Unfired()) == 0 }

// Table shows the summary to people.
func (s *Summary) Table() string {
	var b strings.Builder
	row := func(what string, n int) { fmt.Fprintf(&b, "  %-44s %12d\n", what, n) }
	b.WriteString("faults fired\n")
	for f := NoFault + 1; int(f) < Faults; f++ {
		row(f.String(), s.Faults[f])
	}
	b.WriteString("simulated\n")
	row("seeds", s.Seeds)
	row("steps", s.Steps)
	row("messages", s.Messages)
	row("deliveries accepted", s.Deliveries)
	row("mails in the sink", s.Copies)
	row("duplicates", s.Duplicates)
	row("duplicates that the faults allowed", s.Excused)
	row("seeds that broke an invariant", s.Failed)
	for _, f := range s.Faults.Unfired() {
		fmt.Fprintf(&b, "FAILED: never fired: %s\n", f)
	}
	for _, f := range s.Failures {
		fmt.Fprintf(&b, "FAILED: seed %d after %d steps: %s\n", f.Seed, f.Steps, f.Violation)
	}
	return b.String()
}
