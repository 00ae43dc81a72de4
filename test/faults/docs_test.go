package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	promises  = "../../docs/promises.md"
	published = "record.jsonl"
)

var update = flag.Bool("update", false, "write the documentation")

// TestTheFiguresArePublished holds the table of the page against the record. With
// -update it writes the table.
func TestTheFiguresArePublished(t *testing.T) {
	text, err := os.ReadFile(promises)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- figures: begin -->\n", "<!-- figures: end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the figures", promises)
	}
	rec, err := openRecord(published)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n")
	if err := rec.writeTable(&table, slices.Concat(figures(), points())); err != nil {
		t.Fatal(err)
	}
	want := before + begin + table.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(promises, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is not up to date: run go test ./test/faults -run TheFigures -update", promises)
	}
}
