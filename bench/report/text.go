// Package report writes what a run of the benchmark measured: as a table for a terminal,
// as Markdown for the documentation, as plots, and held against the goals.
package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider/bench/result"
)

// width is how many columns a terminal has to have.
const width = 120

// Table writes all that was measured as text for a terminal of 120 columns.
func Table(w io.Writer, run *result.Run) error {
	var b bytes.Buffer
	wrap(&b, title(run))
	for _, line := range []string{listed(run.Machine), listed(run.Versions), legend(run)} {
		wrap(&b, line)
	}
	for _, t := range tables(run) {
		t.text(&b)
	}
	b.WriteString("\n")
	for _, note := range footnotes(run) {
		wrap(&b, note)
	}
	for _, missing := range run.Missing {
		wrap(&b, "Not measured: "+missing)
	}
	_, err := b.WriteTo(w)
	return err
}

func title(run *result.Run) string {
	return fmt.Sprintf("Plan %s of %s, in %s, by `%s`",
		run.Plan, run.Begun.UTC().Format("2006-01-02 15:04 UTC"), run.Took.Round(time.Second), run.Command)
}

// text writes the table in columns of equal width, as wide apart as there is room.
func (t table) text(b *bytes.Buffer) {
	rows := append([]row{{label: t.title, cells: t.heads}}, t.rows...)
	var widths []int
	for _, r := range rows {
		for i, cell := range r.all() {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	gap := 2
	if sum(widths)+gap*(len(widths)-1) > width {
		gap = 1
	}
	b.WriteString("\n")
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r.all() {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (r row) all() []string { return append([]string{r.label}, r.cells...) }

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

// wrap writes a paragraph in lines that fit; nothing of an empty one.
func wrap(b *bytes.Buffer, text string) {
	at := 0
	for _, word := range strings.Fields(text) {
		long := utf8.RuneCountInString(word)
		switch {
		case at == 0:
		case at+1+long > width:
			b.WriteString("\n")
			at = 0
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += long
	}
	if at > 0 {
		b.WriteString("\n")
	}
}
