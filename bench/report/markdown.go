package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// Markdown writes all that was measured for docs/performance.md, with the plots that
// Plots draws into the folder performance beside it.
func Markdown(w io.Writer, run *result.Run) error {
	found, _, err := drawn(run)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s.\n\n", title(run))
	for _, about := range []struct{ what, words string }{
		{"Machine", listed(run.Machine)}, {"Versions", listed(run.Versions)}, {"Each cell", legend(run)},
	} {
		if about.words != "" {
			fmt.Fprintf(&b, "- %s: %s\n", about.what, about.words)
		}
	}
	for _, d := range found {
		fmt.Fprintf(&b, "\n![%s](performance/%s.svg)\n", d.title, d.name)
	}
	for _, t := range slices.Concat(aboutGoals(run), tables(run)) {
		t.markdown(&b)
	}
	paragraphs(&b, footnotes(run), "")
	paragraphs(&b, run.Missing, "Not measured: ")
	_, err = b.WriteTo(w)
	return err
}

func paragraphs(b *bytes.Buffer, all []string, before string) {
	for _, words := range all {
		fmt.Fprintf(b, "\n%s%s\n", before, words)
	}
}

// markdown writes the table under a heading of its own. Where the product does worse or
// misses a goal stands out.
func (t table) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n### %s\n\n", t.title)
	writeCells(b, row{cells: t.heads}.all())
	fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(t.heads)+1))
	for _, r := range t.rows {
		cells := r.all()
		for i, words := range cells {
			cells[i] = stress(strings.TrimSpace(words))
		}
		if r.ratio {
			cells[0] = "*" + cells[0] + "*"
		}
		writeCells(b, cells)
	}
}

func stress(cell string) string {
	for _, bad := range []string{behindSign, missed} {
		if before, ok := strings.CutSuffix(cell, bad); ok {
			return before + "**" + bad + "**"
		}
	}
	return strings.ReplaceAll(cell, "|", `\|`)
}

func writeCells(b *bytes.Buffer, cells []string) {
	for _, words := range cells {
		b.WriteString(strings.TrimRight("| "+words, " ") + " ")
	}
	b.WriteString("|\n")
}

const (
	beginMark = "<!-- results: begin -->\n"
	endMark   = "<!-- results: end -->"
)

// ErrNoPlace is returned for a page without the two marks between which results go.
var ErrNoPlace = errors.New("the page has no place for results")

// Fill puts the run as Markdown between the marks "<!-- results: begin -->" and
// "<!-- results: end -->" of a page, which stays as it is otherwise.
func Fill(file string, run *result.Run) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("fill in results: %w", err)
	}
	before, rest, begins := strings.Cut(string(page), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("fill in results: %s: %w", file, ErrNoPlace)
	}
	var b bytes.Buffer
	if err := Markdown(&b, run); err != nil {
		return fmt.Errorf("fill in results: %w", err)
	}
	filled := before + beginMark + "\n" + b.String() + "\n" + endMark + after
	if err := os.WriteFile(file, []byte(filled), 0o644); err != nil {
		return fmt.Errorf("fill in results: %w", err)
	}
	return nil
}
