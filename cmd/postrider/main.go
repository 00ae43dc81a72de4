// Command postrider is Postrider's command-line tool: it runs the server in one
// process, sends and follows messages, and looks after the database.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/postrider/postrider/internal/config"
)

// version is set at build time by -ldflags "-X main.version=…".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], &terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer

	emptied bool // all of in was read
}

// commands is the command line: what kong parses into.
type commands struct {
	Dev         devCmd         `cmd:"" help:"Run everything in one process, with an inbox page; needs nothing."`
	Serve       serveCmd       `cmd:"" help:"Run producer and consumers in one process."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database's tables up to date."`
	Send        sendCmd        `cmd:"" help:"Send an email."`
	Show        showCmd        `cmd:"" help:"Show a message: its state, every recipient, every attempt."`
	List        listCmd        `cmd:"" help:"List messages, newest first."`
	Cancel      cancelCmd      `cmd:"" help:"Stop the recipients of a message that can still be stopped."`
	Retry       retryCmd       `cmd:"" help:"Try failed, unknown or canceled recipients of a message again."`
	Keys        keysCmd        `cmd:"" help:"Make, list and revoke API keys."`
	Tenants     tenantsCmd     `cmd:"" help:"Make and list tenants."`
	Templates   templatesCmd   `cmd:"" help:"List, show, push, publish and try templates."`
	Config      configCmd      `cmd:"" help:"Show the settings a program would run with."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a server whether it is ready, for container health checks."`
	Version     versionCmd     `cmd:"" help:"Show the version."`
}

const description = `Postrider takes email over HTTP and delivers it, through crashes, restarts and outages.

Start with "postrider dev" in one terminal and, in another:

  postrider send --from you@example.com --to friend@example.com --subject Hello --text "It works" --wait

Settings are environment variables; "postrider config --reference" explains every one.
Exit codes: 0 done, 1 refused or not sent, 2 wrong flags or settings, 3 server out of reach, 4 still open when --timeout was over.`

// run parses the command line, runs the command and returns the exit code.
func run(ctx context.Context, args []string, t *terminal) int {
	// Kong puts U+FFFD in the place of such bytes, and that would be sent.
	if i := slices.IndexFunc(args, func(arg string) bool { return !utf8.ValidString(arg) }); i >= 0 {
		return report(t, usage("%q is not text in UTF-8", args[i]))
	}
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("postrider"), kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100, NoAppDescFormat: true}),
		kong.Writers(t.out, t.err), kong.Exit(func(int) { helped = true }), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t))
	if err != nil {
		return report(t, err)
	}
	command, err := parser.Parse(meant(args))
	if helped {
		return exitDone
	}
	if err == nil {
		err = filled(command)
	}
	if err != nil {
		return report(t, astray(err))
	}
	return report(t, command.Run())
}

// astray adds where the command is explained. Whoever gives a flag to a server looks
// for its settings.
func astray(err error) error {
	parse, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return err
	}
	at := parse.Context.Selected()
	switch {
	case at == nil:
		return fmt.Errorf("%w; see postrider --help", err)
	case config.New(at.Name) != nil:
		return fmt.Errorf("%w\nthe settings of %s are environment variables, POSTRIDER_…: see postrider config --reference", err, at.Name)
	}
	return fmt.Errorf("%w; see %s --help", err, at.FullPath())
}

// filled refuses flags that were given with nothing in them: most likely a variable of
// the shell is not set, and without --schedule a mail goes out at once, without
// --idempotency-key twice, and without --expires a key never ends. The tag blank is for
// flags of which nothing is something.
func filled(command *kong.Context) error {
	for _, step := range command.Path {
		if f := step.Flag; f != nil && f.Target.Kind() == reflect.String && f.Target.String() == "" && !f.Tag.Has("blank") {
			return usage("--%s is empty: give a value, or leave it out", f.Name)
		}
	}
	return nil
}

// meant is the command line with what people try first in place of what it is
// called here.
func meant(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help": // help, and help COMMAND
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		return []string{"version"}
	}
	return args
}
