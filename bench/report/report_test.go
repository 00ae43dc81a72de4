package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/bench/report"
	"github.com/postrider/postrider/bench/result"
)

var update = flag.Bool("update", false, "write the expected output under testdata")

// sample is a run of three rounds in which Postrider wins most and loses some, and of
// which the third round is a fifth slower for all.
func sample() *result.Run {
	run := &result.Run{
		Begun: time.Date(2026, 11, 29, 9, 2, 0, 0, time.UTC), Took: 14*time.Minute + 3*time.Second, Plan: "quick", Command: "make bench",
		Machine:  map[string]string{"cores": "2", "memory": "24 GiB", "processor": "AMD EPYC", "commit": "0123abc"},
		Versions: map[string]string{"Postgres": "15.18", "RabbitMQ": "3.10.8", "River": "v0.51.0"},
		Notes: map[string]string{
			"asynq":   "keeps its jobs in the memory of Redis and forces them to the disk at each command, so a backlog is bounded by memory",
			"postfix": "has no state that can be asked for; what its log says counts",
		},
		Missing: []string{"watermill: left out of the quick plan"},
	}
	for round, pace := range []float64{1, 1.02, 0.8} {
		note := func(system string, values map[string]float64) {
			for measure, value := range values {
				if strings.HasSuffix(measure, ".cpu") || strings.Contains(measure, "p50") || strings.Contains(measure, "p99") {
					value /= pace * pace
				} else if !strings.HasPrefix(measure, "memory") {
					value *= pace
				}
				run.Note(system, measure, round+1, value)
			}
		}
		for system, values := range samples() {
			note(system, values)
		}
		run.Note("postrider", "drain.rate", round+1, 7200*pace+100*float64(round))
	}
	return run
}

func samples() map[string]map[string]float64 {
	return map[string]map[string]float64{
		result.Limit: {"fsync.rate": 7320, "commit-1.rate": 5000, "commit-8.rate": 14200, "publish.rate": 43800, "smtp-gomail-32.rate": 9900, "odd.rate": 3},
		"postrider": {
			"accept-8.rate": 8100, "accept-8.p50": 0.9, "accept-8.p99": 3.1, "accept-8.cpu": 0.21,
			"accept-64.rate": 17100, "accept-64.p50": 3.2, "accept-64.p99": 9.1, "accept-64.cpu": 0.098,
			"drain.cpu": 0.256, "drain.cpu.callers": 0.001, "drain.cpu.consumer-1": 0.094, "drain.cpu.producer-1": 0.012,
			"drain.cpu.postgres": 0.033, "drain.cpu.rabbitmq": 0.096, "drain.cpu.sink": 0.03,
			"sustained-8.rate": 4330, "sustained-8.cpu": 0.412, "sustained-64.rate": 6540, "sustained-64.cpu": 0.262,
			"steady.p50": 1.12, "steady.p99": 12.5, "steady.cpu": 1.18,
			"memory.consumer-1": 36.2, "memory.producer-1": 41.8,
			"backlog-0.accept": 17000, "backlog-10000.accept": 16900, "backlog-100000.accept": 16800, "backlog-1000000.accept": 16500,
			"backlog-10000.drain": 7000, "backlog-100000.drain": 6900, "backlog-1000000.drain": 5100,
			"critical-100000.p50": 21, "critical-100000.p99": 140,
			"scale.consumers-1.drain.rate": 5200, "scale.consumers-2.drain.rate": 6400, "scale.consumers-4.drain.rate": 7000, "scale.consumers-8.drain.rate": 6800,
		},
		"postrider-null": {"drain.rate": 9070, "drain.cpu": 0.192},
		"river": {
			"accept-8.rate": 5300, "accept-8.p50": 1.4, "accept-8.p99": 5.5, "accept-8.cpu": 0.3,
			"accept-64.rate": 5600, "accept-64.p50": 11.4, "accept-64.p99": 24, "accept-64.cpu": 0.29,
			"drain.rate": 7400, "drain.cpu": 0.23, "drain.cpu.callers": 0.001, "drain.cpu.worker": 0.12, "drain.cpu.postgres": 0.08, "drain.cpu.sink": 0.03,
			"sustained-8.rate": 3070, "sustained-8.cpu": 0.551, "sustained-64.rate": 3190, "sustained-64.cpu": 0.536,
			"steady.p50": 23, "steady.p99": 58.6, "steady.cpu": 1.16, "memory.worker": 30.4,
			"backlog-0.accept": 5400, "backlog-1000000.accept": 5400, "backlog-10000.drain": 6900, "backlog-1000000.drain": 7400,
		},
		"asynq":   {"drain.rate": 2800, "drain.cpu": 0.46, "drain.cpu.worker": 0.2, "drain.cpu.redis": 0.23, "drain.cpu.sink": 0.03, "steady.p50": 457, "steady.p99": 1298, "steady.cpu": 1.05},
		"postfix": {"drain.rate": 667},
	}
}

// golden holds what is written against a file under testdata.
func golden(t *testing.T, name string, write func(io.Writer, *result.Run) error) string {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got, sample()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("not as in %s (-update writes it):\n%s", file, diff)
	}
	return got.String()
}

func TestTable(t *testing.T) {
	for line := range strings.Lines(golden(t, "table.txt", report.Table)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestGoals(t *testing.T) {
	text := golden(t, "goals.txt", report.Goals)
	for _, verdict := range []string{" met\n", " missed\n", " not measured\n"} {
		if !strings.Contains(text, verdict) {
			t.Errorf("no goal is%s", verdict)
		}
	}
}

func TestAnEmptyRunHasNoTables(t *testing.T) {
	var table, goals bytes.Buffer
	run := &result.Run{Plan: "quick"}
	if err := report.Table(&table, run); err != nil {
		t.Fatal(err)
	}
	if err := report.Goals(&goals, run); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(table.String(), "mails/s") || !strings.Contains(goals.String(), "0 met, 0 missed") {
		t.Errorf("%s\n%s", &table, &goals)
	}
}
