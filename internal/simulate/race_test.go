//go:build race

package simulate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The race detector shuffles the order in which the runtime runs goroutines, and
// with it what a seed comes to: these seeds are for the race detector alone.
const (
	raced         = true
	ordinarySeeds = 60
	seedsOnSQL    = 3
)

// TestWithoutTheRaceDetector runs everything that needs runs which repeat.
func TestWithoutTheRaceDetector(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "simulate.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the tests without the race detector: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.v")
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("without the race detector: %v", err)
	}
}
