// Command bench measures Postrider beside the limits of the machine and beside peers
// that do the same job. `make bench` runs it; -help says what it takes and does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/postrider/postrider/bench/null"
	"github.com/postrider/postrider/bench/peer"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/sink"
)

func main() {
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // this is main; nothing is deferred here
	}
}

// start leads to what the process is for: the benchmark starts itself again for what
// has to be a process of its own.
func start(args []string) error {
	if len(args) > 0 && args[0] == child.Command {
		return peer.Main(args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "sink" {
		return sink.Main(ctx, os.Stdout)
	}
	if len(args) > 0 && args[0] == null.Command {
		return null.Main(ctx)
	}
	o, err := readOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return bench(ctx, o)
}
