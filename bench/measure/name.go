package measure

import (
	"slices"
	"time"

	"github.com/postrider/postrider/bench/result"
)

// Name is how a phase names its measures: it is given result.Rate, result.CPU and the
// like, and returns the whole name. result.Drain is one.
type Name func(what string) string

// As names the rate of a phase so, and what else it measures by the same with a dot
// and the rest behind it.
func As(rate string) Name {
	return func(what string) string {
		if what == result.Rate {
			return rate
		}
		return rate + "." + what
	}
}

func (s *Session) noteQuantiles(name Name, took []time.Duration) {
	p50, p99 := Quantiles(took)
	s.note(name(result.P50), p50)
	s.note(name(result.P99), p99)
}

// Quantiles are the median and the 99th percentile, in milliseconds. It sorts took.
func Quantiles(took []time.Duration) (p50, p99 float64) {
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return ms(took[len(took)/2]), ms(took[len(took)*99/100])
}
