package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain forgets the settings of whoever runs the tests: each test gives its
// own.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "POSTRIDER_") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	m.Run()
}
