package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/message"
)

// The exit codes; the help text of the program names them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitStillOpen   = 4
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// errStillOpen ends a wait whose time is over.
var errStillOpen = errors.New("still open")

// usageError is a command line that says something impossible.
type usageError struct{ text string }

func (u *usageError) Error() string { return u.text }

func usage(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// report says what went wrong and returns the exit code for it.
func report(t *terminal, err error) int {
	if err != nil {
		fmt.Fprintln(t.err, "postrider:", printable(err.Error()))
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var (
		parse   *kong.ParseError
		wrong   *config.Error
		misused *usageError
		refused *client.Problem
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &parse), errors.As(err, &wrong), errors.As(err, &misused):
		return exitUsage
	case errors.Is(err, errStillOpen):
		return exitStillOpen
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, message.ErrUnavailable):
		return exitUnreachable
	case errors.As(err, &refused) && refused.Unavailable():
		return exitUnreachable
	default:
		return exitFailed
	}
}
