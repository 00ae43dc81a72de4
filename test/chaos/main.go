// Command chaos hurts a running Postrider at random, under load, for as long as it is
// told to: producers, consumers, RabbitMQ and Postgres are killed with -9, held still
// and restarted, connections closed, queues purged, deleted and wiped. Then it waits
// for all to come to rest, and judges from outside what became of every mail.
//
//	make chaos
//	make chaos ARGS='-duration 10m -mails 10000 -interval 2s -faults kill'
//	make chaos ARGS='-mode embedded -seed 7'
//
// The same seed makes the same sequence of faults. The exit status is 0 if every
// promise held and every kind of fault asked for was made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1) //nolint:forbidigo // this is main; nothing is deferred here
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return chaos(ctx, o, out)
}
