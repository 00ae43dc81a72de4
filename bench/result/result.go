// Package result is what a run of the benchmark measured: single numbers, each of one
// system in one round, from which tables, ratios and plots are made.
package result

import (
	"maps"
	"slices"
	"time"
)

// Run is everything one run of the benchmark found out.
type Run struct {
	Begun    time.Time         `json:"begun"`
	Took     time.Duration     `json:"took"`
	Plan     string            `json:"plan"` // quick or full
	Command  string            `json:"command"`
	Mails    int               `json:"mails"`    // in each phase
	Workers  int               `json:"workers"`  // mails that each system sends at the same time
	Machine  map[string]string `json:"machine"`  // cores, memory, kernel, processor, Go, commit
	Versions map[string]string `json:"versions"` // of servers and libraries
	Notes    map[string]string `json:"notes"`    // by system: in what it is not like for like
	Missing  []string          `json:"missing"`  // what was not measured, and why
	Samples  []Sample          `json:"samples"`
}

// Sample is one number. Comparisons pair samples of the same round, since machines
// drift.
type Sample struct {
	System  string  `json:"system"` // a job.System's name, or Limit
	Measure string  `json:"measure"`
	Round   int     `json:"round"` // from 1
	Value   float64 `json:"value"`
}

// Limit is the system of measures that are of the machine's parts alone.
const Limit = "limit"

// Note adds a sample.
func (r *Run) Note(system, measure string, round int, value float64) {
	r.Samples = append(r.Samples, Sample{system, measure, round, value})
}

// Spread is a measure over all rounds.
type Spread struct {
	Median, Least, Most float64
	Rounds              int
}

// Of is the spread of values; zero for none.
func Of(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return Spread{Median: median, Least: sorted[0], Most: sorted[n-1], Rounds: n}
}

// Values are the measure's values by round.
func (r *Run) Values(system, measure string) map[int]float64 {
	values := map[int]float64{}
	for _, s := range r.Samples {
		if s.System == system && s.Measure == measure {
			values[s.Round] = s.Value
		}
	}
	return values
}

// Spread is the spread of a system's measure over all rounds.
func (r *Run) Spread(system, measure string) Spread {
	return Of(slices.Collect(maps.Values(r.Values(system, measure))))
}

// Ratio is the spread of one system's measure divided by another's (which may be of
// another name), round by round; rounds that only one of them has are left out.
func (r *Run) Ratio(system, measure, other, otherMeasure string) Spread {
	mine, theirs := r.Values(system, measure), r.Values(other, otherMeasure)
	var ratios []float64
	for round, value := range mine {
		if base := theirs[round]; base != 0 {
			ratios = append(ratios, value/base)
		}
	}
	return Of(ratios)
}
