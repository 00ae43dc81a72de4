package gate

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/postrider/postrider/bench/result"
)

// Conditions are under what figures can be compared.
type Conditions struct {
	Mails   int `json:"mails"` // in the phase
	Workers int `json:"workers"`
}

// Baseline is what a version of Postrider needed.
type Baseline struct {
	Conditions
	Commit  string           `json:"commit"`
	Go      string           `json:"go"` // which has a share in allocations
	Figures map[string]Bound `json:"figures"`
}

// Bound is a value that a figure had, and how much more is taken for noise: a share of
// the value.
type Bound struct {
	Value     float64 `json:"value"`
	Tolerance float64 `json:"tolerance"`
}

func (b Bound) judge(now float64) string {
	switch {
	case now > b.Value*(1+b.Tolerance):
		return worse
	case now < b.Value*(1-b.Tolerance):
		return better
	default:
		return held
	}
}

// Load reads a baseline.
func Load(file string) (*Baseline, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load the baseline: %w", err)
	}
	var b Baseline
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("load the baseline: %s: %w", file, err)
	}
	return &b, nil
}

// Save writes it for Load.
func (b *Baseline) Save(file string) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("save the baseline: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save the baseline: %w", err)
	}
	return nil
}

// Accept is the baseline that takes a run for what is to be held from now on.
// Tolerances that the earlier one has stay, since people may have set them; so do
// figures that the run has not. The earlier one may be nil.
func Accept(run *result.Run, earlier *Baseline, c Conditions) *Baseline {
	b := &Baseline{Conditions: c, Commit: run.Machine["commit"], Go: run.Versions["Go"], Figures: map[string]Bound{}}
	for _, f := range figures() {
		bound := Bound{Tolerance: f.tolerance}
		if earlier != nil {
			if known, ok := earlier.Figures[f.name]; ok {
				bound = known
			}
		}
		if now := f.of(run); now.Rounds > 0 {
			bound.Value = now.Median
		}
		if bound.Value > 0 {
			b.Figures[f.name] = bound
		}
	}
	return b
}
