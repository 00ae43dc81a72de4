// Package test runs the benchmark as a whole, on the services of the tests.
package test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/bench/result"
)

// patience is how long a run of some hundred mails may take on a machine that is busy.
const patience = 5 * time.Minute

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bench")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func TestARunMeasuresWhatItWasAskedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	out, baseline := filepath.Join(dir, "run.json"), filepath.Join(dir, "baseline.json")
	args := "-systems postrider,postrider-serve,postrider-null -rounds 1 -mails 200 -workers 8 -steady 500ms -limits 20ms" +
		" -experiments backlog,critical,consumers,producers,far -backlog 300 -critical 300"
	cmd := exec.CommandContext(ctx, build(t), append(strings.Fields(args), "-out", out, "-baseline", baseline, "-accept-baseline")...)
	var table, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &table, &progress
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &progress, &table)
	}
	for _, words := range []string{"Limits of the machine", "Sustained, 64 callers", "Goals:", "Regression gate: against"} {
		if !strings.Contains(table.String(), words) {
			t.Errorf("nothing of %q", words)
		}
	}
	run, err := result.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, measure := range measured() {
		if run.Values("postrider", measure)[1] <= 0 {
			t.Errorf("%s was not measured", measure)
		}
	}
	for measure, want := range map[string]bool{
		"sustained-8.rate": true, "steady.cpu.serve": true, "steady.cpu.rabbitmq": false, "drain.rate": false,
	} {
		if got := len(run.Values("postrider-serve", measure)) > 0; got != want {
			t.Errorf("%s of postrider-serve was measured: %t", measure, got)
		}
	}
	if t.Failed() {
		t.Log(table.String())
	}
}

// measured are some of each kind. Of 200 mails few may be left to drain when the
// workers are known to be ready, so that drains are only of workers that were held.
func measured() []string {
	return []string{
		result.Accept(8, result.CPU), result.Accept(64, result.P99), result.Sustained(8, result.Rate),
		result.Sustained(64, result.Allocs+"producer"), result.Sustained(64, result.AllocBytes+"consumer"),
		result.Sustained(64, result.Transactions), result.Steady(result.P50), result.Memory("consumer-1"),
		result.Backlog(0, "accept"), result.Backlog(300, "accept"), result.Critical(300, result.P99),
		result.Consumers(8, result.Rate), result.Producers(2, result.Rate),
	}
}

func TestARunThatIsCutShowsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, build(t), strings.Fields("-systems - -experiments producers -rounds 1 -limits 20ms -mails 200")...)
	var table bytes.Buffer
	cmd.Stdout = &table
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := awaitLine(t, progress, "[2/")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err == nil {
		t.Error("it ended as if it had done everything")
	}
	for _, words := range []string{"SMTP by go-mail", "cut short", "Goals:"} {
		if !strings.Contains(table.String(), words) {
			t.Errorf("nothing of %q in\n%s", words, &table)
		}
	}
}

// awaitLine reads until a line has the words, and returns what comes behind it.
func awaitLine(t *testing.T, from io.Reader, words string) io.Reader {
	t.Helper()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("no line has %q: %v", words, err)
		}
		if strings.Contains(line, words) {
			return lines
		}
	}
}
