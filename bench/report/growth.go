package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// memory has a row for each process of each system. They are not compared, since
// systems divide their work differently among processes.
func memory(run *result.Run) table {
	t := table{title: "Memory, the most resident", heads: []string{"MiB"}}
	for _, system := range systems(run) {
		for _, measure := range measures(run, system, result.Memory("")) {
			process := strings.TrimPrefix(measure, result.Memory(""))
			label := marked(run, system)
			if process != system {
				label += ", " + process
			}
			t.add(run, system, label, []column{{measure: measure}})
		}
	}
	return t
}

// phases are what backlogs are measured by.
func phases() []string { return []string{"accept", "drain"} }

// backlog has a column for each number of mails that waited.
func backlog(run *result.Run) table {
	var waiting []int
	for _, phase := range phases() {
		waiting = append(waiting, waited(run, phase)...)
	}
	slices.Sort(waiting)
	waiting = slices.Compact(waiting)
	t := newTable("Growth with a backlog, mails/s", backlogColumns(waiting, ""))
	for _, phase := range phases() {
		columns := backlogColumns(waiting, phase)
		for _, system := range systems(run) {
			if t.add(run, system, marked(run, system)+", "+phase, columns) {
				t.compare(run, system, columns)
			}
		}
	}
	return t
}

func backlogColumns(waiting []int, phase string) []column {
	var columns []column
	for _, n := range waiting {
		columns = append(columns, column{head: Count(n) + " waiting", measure: result.Backlog(n, phase)})
	}
	return columns
}

// waited are the numbers of mails that waited while any system was measured.
func waited(run *result.Run, phase string) []int {
	var all []int
	for _, system := range systems(run) {
		all = append(all, between(run, system, "backlog-", "."+phase)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// critical has a row for each system and number of mails that waited in lane low.
func critical(run *result.Run) table {
	t := table{title: "Lane critical while mails of lane low wait", heads: []string{"p50 ms", "p99 ms"}}
	for _, system := range systems(run) {
		for _, n := range between(run, system, "critical-", "."+result.P99) {
			columns := []column{{measure: result.Critical(n, result.P50), lower: true}, {measure: result.Critical(n, result.P99), lower: true}}
			if t.add(run, system, fmt.Sprintf("%s, %s waiting", marked(run, system), Count(n)), columns) {
				t.compare(run, system, columns)
			}
		}
	}
	return t
}
