package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/bench/report"
	"github.com/postrider/postrider/bench/result"
)

func TestPlots(t *testing.T) {
	one, two := t.TempDir(), filepath.Join(t.TempDir(), "made")
	names, err := report.Plots(one, sample())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"accept-64", "drain", "sustained-8", "sustained-64", "cpu-drain", "latency", "scaling", "backlog-accept", "backlog-drain"}
	if !slices.Equal(names, want) {
		t.Errorf("drawn: %v, want %v", names, want)
	}
	again := sample()
	slices.Reverse(again.Samples)
	if _, err := report.Plots(two, again); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		svg := read(t, filepath.Join(one, name+".svg"))
		wellFormed(t, name, svg)
		if svg != read(t, filepath.Join(two, name+".svg")) {
			t.Errorf("%s is another although the data is the same", name)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s holds what is no number", name)
		}
	}
}

func TestAPlotWithoutDataIsNotDrawn(t *testing.T) {
	dir := t.TempDir()
	if _, err := report.Plots(dir, sample()); err != nil {
		t.Fatal(err)
	}
	names, err := report.Plots(dir, &result.Run{Samples: []result.Sample{{System: "river", Measure: "drain.rate", Round: 1, Value: 7000}}})
	if err != nil || !slices.Equal(names, []string{"drain"}) {
		t.Errorf("drawn: %v, %v", names, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wellFormed(t *testing.T, name, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
