package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/postrider/postrider/internal/config"
)

// Exit codes of programs that take no arguments; postrider has the same.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong arguments or settings
)

// Make reads a program's settings and puts it together. The duration is how
// long a stop may take.
type Make func(context.Context, Build) (*App, time.Duration, error)

// Main is the life of a program that is told everything by its environment: it
// runs until the first SIGINT or SIGTERM, stops, and returns the exit code. A
// second signal ends the process at once. About is its help text.
func Main(b Build, about string, program Make) int {
	if len(os.Args) > 1 {
		return explain(os.Stdout, os.Stderr, b, about, os.Args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a, grace, err := program(ctx, b)
	if err == nil {
		err = Run(ctx, a, grace, nil)
	}
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", b.Program, err)
	if _, wrong := errors.AsType[*config.Error](err); wrong {
		return exitUsage
	}
	return exitFailed
}

func explain(out, complaints io.Writer, b Build, about string, args []string) int {
	switch args[0] {
	case "--help", "-h", "help":
		fmt.Fprintf(out, `%s

It takes no arguments; its settings are POSTRIDER_* environment variables:

  postrider config %-13s what it would run with, or every fault in it
  postrider config --reference   every setting, explained
`, about, b.Program)
		return exitDone
	case "--version", "version":
		fmt.Fprintln(out, b.Version)
		return exitDone
	}
	fmt.Fprintf(complaints, "%s: takes no arguments, only POSTRIDER_* settings; see %s --help\n", b.Program, b.Program)
	return exitUsage
}
