package main

import (
	"flag"
	"io"
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

// TestThePageOfPromises holds the tables of the page against the record and the
// list of faults. With -update it writes them.
func TestThePageOfPromises(t *testing.T) {
	text, err := os.ReadFile(promises)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := openRecord(published)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, write := range map[string]func(io.Writer) error{
		"faults":  writeFaultTable,
		"figures": func(w io.Writer) error { return rec.writeTable(w, slices.Concat(figures(), points())) },
	} {
		var table strings.Builder
		if err := write(&table); err != nil {
			t.Fatal(err)
		}
		want = fill(t, want, name, table.String())
	}
	if *update {
		if err := os.WriteFile(promises, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is not up to date: run go test ./test/faults -run ThePageOfPromises -update", promises)
	}
}

// fill puts a table where the page has its place.
func fill(t *testing.T, page, name, table string) string {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the %s", promises, name)
	}
	return before + begin + "\n" + table + "\n" + end + after
}
