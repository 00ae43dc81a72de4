package store

import (
	"strings"
)

// buckets are the lengths lists are filled up to, with rows of NULL that match
// nothing, so that few statements exist and stay prepared.
var buckets = [...]int{1, 8, 32, 128}

func bucket(n int) int {
	for _, b := range buckets {
		if n <= b {
			return b
		}
	}
	return mostRows
}

// sqliteList gives a list as rows of values. SQLite looks up every numbered
// parameter among all others, so that its time would grow with the square of the
// list: there they have no number and are bound in order.
func sqliteList(l list, rows [][]any) (table string, args []any) {
	n := bucket(len(rows))
	args = make([]any, len(l.fixed)+n*len(l.columns))
	copy(args, l.fixed)
	for i, row := range rows {
		copy(args[len(l.fixed)+i*len(l.columns):], row)
	}
	var b strings.Builder
	b.WriteString("WITH ")
	leading(&b, len(l.fixed))
	b.WriteString("v(")
	for i, c := range l.columns {
		b.WriteString(","[:min(i, 1)])
		b.WriteString(c.name)
	}
	b.WriteString(") AS (VALUES ")
	row := "(?" + strings.Repeat(",?", len(l.columns)-1) + ")"
	b.WriteString(row)
	for range n - 1 {
		b.WriteByte(',')
		b.WriteString(row)
	}
	b.WriteString(") ")
	return b.String(), args
}

// leading names the fixed arguments before the members of a list that are
// bound in order: an argument's place is that of its first mention.
func leading(b *strings.Builder, fixed int) {
	if fixed == 0 {
		return
	}
	for n := range fixed {
		b.WriteString([...]string{"fixed AS (SELECT ", ","}[min(n, 1)])
		b.WriteString(ordinal(n + 1))
	}
	b.WriteString("),")
}
