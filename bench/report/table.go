package report

import (
	"github.com/postrider/postrider/bench/result"
)

// table answers one question: a row for each system, and below it how the product
// compares.
type table struct {
	title string
	heads []string // of the columns behind the first
	rows  []row
}

type row struct {
	label string
	cells []string
	ratio bool // the product's values divided by those of the row above
}

// column is a measure of whichever system a row is of.
type column struct {
	head    string
	measure string
	lower   bool // the less the better
}

func newTable(title string, columns []column) table {
	t := table{title: title}
	for _, c := range columns {
		t.heads = append(t.heads, c.head)
	}
	return t
}

// add adds a system's row, if it has one of the measures.
func (t *table) add(run *result.Run, system, label string, columns []column) bool {
	cells, any := make([]string, len(columns)), false
	for i, c := range columns {
		cells[i] = spread(run.Spread(system, c.measure))
		any = any || cells[i] != ""
	}
	if any {
		t.rows = append(t.rows, row{label: label, cells: cells})
	}
	return any
}

// compare adds the row of the product's values divided by the system's, unless the
// system is the product.
func (t *table) compare(run *result.Run, system string, columns []column) {
	if system == product {
		return
	}
	cells, any := make([]string, len(columns)), false
	for i, c := range columns {
		s := run.Ratio(product, c.measure, system, c.measure)
		cells[i] = times(s)
		if !isOwn(system) && behind(s, c.lower) {
			cells[i] += " " + behindSign
		}
		any = any || cells[i] != ""
	}
	if any {
		t.rows = append(t.rows, row{label: "  postrider is", cells: cells, ratio: true})
	}
}

const behindSign = "behind"

// behind reports whether the product does worse by what two digits can show.
func behind(s result.Spread, lower bool) bool {
	switch {
	case s.Rounds == 0:
		return false
	case lower:
		return s.Median >= 1.005
	default:
		return s.Median < 0.995
	}
}
