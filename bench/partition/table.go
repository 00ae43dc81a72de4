package partition

import (
	"fmt"
	"text/tabwriter"

	"github.com/postrider/postrider/bench/result"
)

// compare writes what both kinds did, and their ratio within each round.
func (e Experiment) compare(days int) error {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%d partitions\tplain\tparted\tparted/plain, by round\n", days)
	run := e.Bench.Run
	for _, group := range groups() {
		for _, what := range []string{result.Rate, result.CPU} {
			plain, parted := result.Partitions(days, "plain", group, what), result.Partitions(days, "parted", group, what)
			fmt.Fprintf(w, "groups of %d, %s\t%s\t%s\t%s\n", group, unit(what), spread(run.Spread(System, plain)),
				spread(run.Spread(System, parted)), spread(run.Ratio(System, parted, System, plain)))
		}
	}
	return w.Flush()
}

func unit(what string) string {
	if what == result.Rate {
		return "mails/s"
	}
	return "CPU ms a mail"
}

func spread(s result.Spread) string {
	return fmt.Sprintf("%s (%s..%s)", number(s.Median), number(s.Least), number(s.Most))
}

func number(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
