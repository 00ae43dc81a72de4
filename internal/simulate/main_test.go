package simulate_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also where 'make simulate' begins: synctest needs a testing.T, so
// that the command is this test binary.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("SIMULATE") == "" {
		goleak.VerifyTestMain(m)
		return
	}
	o, err := readOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	if os.Getenv("SIMULATE") == "command" && !o.one {
		os.Exit(command(o))
	}
	runtime.GOMAXPROCS(1)
	if err := flag.Set("test.run", "^TestSeeds$"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestSeeds is what the processes of the command run. By itself it shows how one
// seed ends.
func TestSeeds(t *testing.T) {
	o, err := readOptions()
	switch {
	case err != nil:
		t.Fatal(err)
	case os.Getenv("SIMULATE") == "shard":
		shard(t, o)
	case o.one:
		replay(t, o)
	default:
		inOrder(t)
		replay(t, options{store: "memory", first: 1, tail: 10})
	}
}
