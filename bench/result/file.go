package result

import (
	"encoding/json"
	"fmt"
	"os"
)

// Load reads a run that Save has written.
func Load(file string) (*Run, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load a run: %w", err)
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("load a run: %s: %w", file, err)
	}
	return &r, nil
}

// Save writes the run as JSON. It fails on values that are no number.
func (r *Run) Save(file string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("save a run: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save a run: %w", err)
	}
	return nil
}
