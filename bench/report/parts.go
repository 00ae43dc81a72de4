package report

import (
	"github.com/postrider/postrider/bench/result"
)

// partly has a row for each question and a column for each part that uses CPU for the
// product in it. They are medians: the spreads would not fit on a line.
func partly(run *result.Run) table {
	var prefixes []string
	for _, q := range questions() {
		prefixes = append(prefixes, q.cpu()+".")
	}
	t := table{title: "CPU of a mail by part, ms"}
	parts := partsOf(run, []string{product}, prefixes...)
	for _, part := range parts {
		t.heads = append(t.heads, part.name)
	}
	for i, q := range questions() {
		if len(measures(run, product, prefixes[i])) == 0 {
			continue
		}
		r := row{label: q.title}
		for _, part := range parts {
			r.cells = append(r.cells, human(usedBy(run, product, prefixes[i], part.name)))
		}
		t.rows = append(t.rows, r)
	}
	return t
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
