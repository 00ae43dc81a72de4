// Package test holds the stories: what Postrider promises its users, each told
// end to end with real processes, and in both modes. A story's name is the
// promise.
//
// Embedded is one process, `postrider serve` on an SQLite file. Distributed is
// a producer and several consumers on Postgres and RabbitMQ, in a schema and
// under a queue prefix of the story's own, so that stories and whole runs may
// overlap. `make services` brings up what they need.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaries is the folder with the programs under test, built once: with the race
// detector where the stories are.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "postrider-stories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", detectRaces, "-o", dir, "../cmd/...")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs under test:", err)
		return 1
	}
	binaries = dir
	return m.Run()
}

// service returns the test service's URL, which `make services` provides.
func service(t testing.TB, name string) string {
	t.Helper()
	url := os.Getenv(name)
	if url == "" {
		t.Fatalf("%s is not set: run `make services` and `. .services/env`, or `make test`", name)
	}
	return url
}

func binary(name string) string { return filepath.Join(binaries, name) }
