package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// tables are the answers to all questions that the run has answers to.
func tables(run *result.Run) []table {
	all := []table{limits(run)}
	for _, q := range questions() {
		all = append(all, bySystem(run, q))
	}
	all = append(all, partly(run), database(run), scaling(run), taking(run), far(run), memory(run), backlog(run), critical(run))
	return slices.DeleteFunc(all, func(t table) bool { return len(t.rows) == 0 })
}

// question is one that each system answers by one row.
type question struct {
	title   string
	columns []column
}

// cpu is its measure of CPU, which every question has as its last.
func (q question) cpu() string { return q.columns[len(q.columns)-1].measure }

func questions() []question {
	accept := func(callers int) question {
		name := func(what string) string { return result.Accept(callers, what) }
		return question{fmt.Sprintf("Accept, %d callers", callers), []column{
			{"mails/s", name(result.Rate), false}, {"p50 ms", name(result.P50), true},
			{"p99 ms", name(result.P99), true}, {"CPU ms a mail", name(result.CPU), true},
		}}
	}
	rateAndCPU := func(title string, name func(string) string) question {
		return question{title, []column{{"mails/s", name(result.Rate), false}, {"CPU ms a mail", name(result.CPU), true}}}
	}
	sustained := func(callers int) question {
		return rateAndCPU(fmt.Sprintf("Sustained, %d callers", callers),
			func(what string) string { return result.Sustained(callers, what) })
	}
	return []question{
		accept(8), accept(64),
		rateAndCPU("Drain", result.Drain),
		sustained(8), sustained(64),
		{"Steady, 200 mails/s", []column{
			{"p50 ms", result.Steady(result.P50), true}, {"p99 ms", result.Steady(result.P99), true},
			{"CPU ms a mail", result.Steady(result.CPU), true},
		}},
	}
}

func bySystem(run *result.Run, q question) table {
	t := newTable(q.title, q.columns)
	for _, system := range systems(run) {
		if t.add(run, system, marked(run, system), q.columns) {
			t.compare(run, system, q.columns)
		}
	}
	return t
}

// limitNames are the limits in the order in which they are shown, in words.
func limitNames() [][2]string {
	return [][2]string{
		{"fsync", "2 KB appended and fdatasync"},
		{"commit-1", "rows, a commit each, 1 connection"},
		{"commit-8", "rows, a commit each, 8 connections"},
		{"commit-32", "rows, a commit each, 32 connections"},
		{"insert-100", "rows, 100 a commit, 8 connections"},
		{"publish-each", "publish, each confirm awaited"},
		{"publish", "publish, 1000 confirms outstanding"},
		{"consume-128", "consume, 128 channels at prefetch 1"},
		{"smtp-gomail-32", "SMTP by go-mail, 32 sessions"},
		{"smtp-pipelined-32", "SMTP pipelined, 32 sessions"},
	}
}

func limits(run *result.Run) table {
	t := table{title: "Limits of the machine's parts", heads: []string{"a second"}}
	names := limitNames()
	for _, measure := range measures(run, result.Limit, "") {
		name := strings.TrimSuffix(measure, "."+result.Rate)
		if !slices.ContainsFunc(names, func(known [2]string) bool { return known[0] == name }) {
			names = append(names, [2]string{name, name})
		}
	}
	for _, name := range names {
		t.add(run, result.Limit, name[1], []column{{measure: name[0] + "." + result.Rate}})
	}
	return t
}
