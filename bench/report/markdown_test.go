package report_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postrider/postrider/bench/report"
)

func TestMarkdown(t *testing.T) {
	text := golden(t, "results.md", report.Markdown)
	columns := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|")
		if columns > 0 && n != columns {
			t.Errorf("%d cells in a table of %d: %s", n-1, columns-1, line)
		}
		columns = n
	}
}

func TestFillReplacesOnlyWhatIsBetweenTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	write(t, file, "# Performance\n\n<!-- results: begin -->\nold\n<!-- results: end -->\n\nThe rest.\n")
	for range 2 {
		if err := report.Fill(file, sample()); err != nil {
			t.Fatal(err)
		}
	}
	page := read(t, file)
	if !strings.HasPrefix(page, "# Performance\n\n<!-- results: begin -->\n\nPlan quick") ||
		!strings.HasSuffix(page, "\n\n<!-- results: end -->\n\nThe rest.\n") ||
		strings.Contains(page, "old\n") || strings.Count(page, "### Drain\n") != 1 {
		t.Errorf("the page:\n%s", page)
	}
}

func TestFillRefusesAPageWithoutMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	write(t, file, "# Performance\n")
	if err := report.Fill(file, sample()); !errors.Is(err, report.ErrNoPlace) {
		t.Errorf("error %v", err)
	}
	if page := read(t, file); page != "# Performance\n" {
		t.Errorf("the page is now:\n%s", page)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
