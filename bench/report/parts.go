package report

import (
	"slices"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// partly has a row for each phase of the product and a column for each part that uses
// CPU in it.
func partly(run *result.Run) table {
	phases := []struct {
		title string
		name  func(string) string
	}{
		{"accept, 64 callers", func(what string) string { return result.Accept(64, what) }},
		{"drain", result.Drain},
		{"sustained, 8 callers", func(what string) string { return result.Sustained(8, what) }},
		{"sustained, 64 callers", func(what string) string { return result.Sustained(64, what) }},
		{"200 mails/s", result.Steady},
	}
	keys := map[string]bool{}
	for _, p := range phases {
		prefix := p.name(result.CPU + ".")
		for _, measure := range measures(run, product, prefix) {
			keys[strings.TrimPrefix(measure, prefix)] = true
		}
	}
	names := slices.DeleteFunc(sortedKeys(keys), func(name string) bool { return name == "redis" })
	t := table{title: "CPU of a mail by part, ms", heads: names}
	for _, p := range phases {
		if cells, any := usedBetween(run, p.name(result.CPU+"."), names); any {
			t.rows = append(t.rows, row{label: p.title, cells: cells})
		}
	}
	return t
}

// usedBetween are the medians by part; their spreads would not fit on a line.
func usedBetween(run *result.Run, prefix string, parts []string) (cells []string, any bool) {
	for _, part := range parts {
		s, cell := run.Spread(product, prefix+part), ""
		if s.Rounds > 0 {
			cell, any = human(s.Median), true
		}
		cells = append(cells, cell)
	}
	return cells, any
}

// database is what a mail costs Postgres beside CPU, from its acceptance until it is
// recorded as sent.
func database(run *result.Run) table {
	name := func(what string) string { return result.Sustained(64, what) }
	columns := []column{
		{head: "writing transactions", measure: name(result.Transactions)},
		{head: "bytes of its log", measure: name(result.LogBytes)},
		{head: "bytes its tables grow by", measure: name(result.TableBytes)},
	}
	t := newTable("What a mail costs the database, sustained by 64 callers", columns)
	for _, system := range systems(run) {
		t.add(run, system, marked(run, system), columns)
	}
	return t
}
