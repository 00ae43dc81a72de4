package report

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// scaling has a column for each number of consumer processes.
func scaling(run *result.Run) table {
	return byNumber(run, "Drain by consumer processes, mails/s", result.Consumers)
}

// taking has a column for each number of producer processes.
func taking(run *result.Run) table {
	return byNumber(run, "Accept by producer processes, 64 callers, mails/s", result.Producers)
}

// byNumber has the product's rate by how many there were of something.
func byNumber(run *result.Run, title string, measure func(int, string) string) table {
	var columns []column
	for _, n := range numbered(run, measure) {
		columns = append(columns, column{head: fmt.Sprint(n), measure: measure(n, result.Rate)})
	}
	t := newTable(title, columns)
	t.add(run, product, marked(run, product), columns)
	return t
}

// far has a row for each number of sessions.
func far(run *result.Run) table {
	t := table{title: "Drain to a relay host 20 ms away", heads: []string{"mails/s", "round trips a mail", "CPU ms a mail"}}
	for _, n := range numbered(run, result.Far) {
		t.add(run, product, fmt.Sprintf("%s, %d sessions", marked(run, product), n), []column{
			{measure: result.Far(n, result.Rate)}, {measure: result.Far(n, result.Trips)}, {measure: result.Far(n, result.CPU)},
		})
	}
	return t
}

// numbered are the numbers for which there is a rate.
func numbered(run *result.Run, measure func(int, string) string) []int {
	before, after, _ := strings.Cut(measure(0, result.Rate), "0")
	return between(run, product, before, after)
}

func scaled(consumers int) string { return result.Consumers(consumers, result.Rate) }
