//go:build !race

package simulate_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/simulate"
)

// Without the race detector the runtime runs goroutines in an order that does
// not change from run to run.
const (
	raced         = false
	ordinarySeeds = 600
	seedsOnSQL    = 12
)

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	inOrder(t)
	hashes := map[uint64]bool{}
	for seed := range uint64(300) {
		first := run(t, simulate.Config{Seed: seed, Database: newInMemory})
		again := run(t, simulate.Config{Seed: seed, Database: newInMemory, Trace: true})
		if first.Hash != again.Hash || first.Steps != again.Steps || first.Faults != again.Faults {
			t.Errorf("seed %d: %x in %d steps, then %x in %d", seed, first.Hash, first.Steps, again.Hash, again.Steps)
		}
		hashes[first.Hash] = true
	}
	if len(hashes) != 300 {
		t.Errorf("300 seeds came to %d different runs", len(hashes))
	}
}

// TestEveryGuardIsMissed takes the guards away one at a time. The words are those
// of the invariant that must notice.
func TestEveryGuardIsMissed(t *testing.T) {
	inOrder(t)
	noticed := map[string]string{
		"claim fence":              "duplicate",
		"state check at the claim": "was sent after its cancellation",
		"dispatch check":           "claimed before its time",
		"idempotency index":        "two messages under one idempotency key",
		"confirm wait":             "the broker never had it",
		"mandatory":                "the broker never had it",
		"ack after the claim":      "in nobody's custody",
		"mark at the claim":        "duplicate",
		"mark of an old claim":     "duplicate of",
		"mark":                     "duplicate",
	}
	for _, m := range simulate.Mutants() {
		t.Run(m.Name, func(t *testing.T) {
			want, named := noticed[m.Name]
			delete(noticed, m.Name)
			for seed := range uint64(3000) {
				r := run(t, simulate.Config{Seed: seed, Database: newInMemory, Mutant: m})
				if named && strings.Contains(r.Violation, want) {
					t.Logf("without it, seed %d: %s", seed, r.Violation)
					return
				}
			}
			t.Errorf("nobody noticed that it is missing: no seed says %q", want)
		})
	}
	if len(noticed) > 0 {
		t.Errorf("no such mutants: %v", noticed)
	}
}

func TestTheCommandFailsWithTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		says string
	}{
		"a guard is missing":      {[]string{"SEEDS=60", "MUTANT=mark"}, "to see it again: make simulate STORE=memory SEED="},
		"a fault has never fired": {[]string{"SEEDS=5"}, "FAILED: never fired: "},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(append(os.Environ(), "SIMULATE=command"), c.env...)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%v, and does not say %q:\n%s", err, c.says, out)
			}
		})
	}
}
