// Command bench measures Postrider beside the limits of the machine and beside peers
// that do the same job. `make bench` runs it; -help lists what it takes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/postrider/postrider/bench/sink"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run is the program. The benchmark starts itself again for what has to be a process
// of its own.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "sink" {
		return sink.Main(ctx, os.Stdout)
	}
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	return bench(ctx, o)
}
