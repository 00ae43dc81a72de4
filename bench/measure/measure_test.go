package measure

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var took []time.Duration
	for ms := 100; ms > 0; ms-- {
		took = append(took, time.Duration(ms)*time.Millisecond)
	}
	if p50, p99 := Quantiles(took); p50 != 51 || p99 != 100 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if p50, p99 := Quantiles(took[:1]); p50 != 1 || p99 != 1 {
		t.Errorf("of one: p50 %v, p99 %v", p50, p99)
	}
	if p50, p99 := Quantiles(nil); p50 != 0 || p99 != 0 {
		t.Errorf("of none: p50 %v, p99 %v", p50, p99)
	}
}

func TestNames(t *testing.T) {
	name := As("backlog-7.drain")
	if name("rate") != "backlog-7.drain" || name("cpu.sink") != "backlog-7.drain.cpu.sink" {
		t.Error(name("rate"), name("cpu.sink"))
	}
}

func TestAProcessBelongsToTheNearestPartAboveIt(t *testing.T) {
	all := map[int]process{10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 10}, 21: {parent: 20}, 30: {parent: 1}}
	owner := map[int]string{10: "callers", 20: "worker"}
	for pid, want := range map[int]string{10: "callers", 12: "callers", 20: "worker", 21: "worker", 30: "", 99: ""} {
		if got, _ := partOf(pid, all, owner); got != want {
			t.Errorf("%d belongs to %q, want %q", pid, got, want)
		}
	}
}

func TestUsageSince(t *testing.T) {
	before := Usage{"postgres": 2 * time.Second}
	used := Usage{"postgres": 5 * time.Second, "worker": time.Second}.Since(before)
	if used["postgres"] != 3*time.Second || used["worker"] != time.Second || used.Total() != 4*time.Second {
		t.Errorf("%v", used)
	}
}

func TestWhatAPartUsesIsSeen(t *testing.T) {
	shell := exec.CommandContext(t.Context(), "sh", "-c", "read go; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read end")
	in, err1 := shell.StdinPipe()
	out, err2 := shell.StdoutPipe()
	if err1 != nil || err2 != nil || shell.Start() != nil {
		t.Fatal("start a shell")
	}
	parts := map[string]int{"shell": shell.Process.Pid, "callers": os.Getpid()}
	before, err := UsageOf(parts)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("go\n"))
	_, _ = out.Read(make([]byte, 10))
	after, err := UsageOf(parts)
	if err != nil {
		t.Fatal(err)
	}
	if used := after.Since(before)["shell"]; used <= 0 || used > time.Minute {
		t.Errorf("it used %v", used)
	}
	if most := mostMemory(shell.Process.Pid); most < 100<<10 || most > 100<<20 {
		t.Errorf("it has %d bytes", most)
	}
	_ = in.Close()
	_ = shell.Wait() // how it ends is not the question
}
