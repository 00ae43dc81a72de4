package main

import (
	"fmt"

	"github.com/postrider/postrider/internal/config"
)

// configCmd shows settings.
type configCmd struct {
	Program   string `arg:"" optional:"" default:"serve" enum:"producer,consumer,serve,dev,migrate,client" help:"producer, consumer, serve, dev, migrate or client (the other commands). Default: serve."`
	Reference bool   `help:"Print the page that explains every setting."`
}

// Help is the long help text.
func (configCmd) Help() string {
	return `Settings are read from environment variables that begin with POSTRIDER_. Each is printed with where it comes from; secrets are hidden. Faults are printed instead, all at once, and the exit code is 2.

Would the consumer start with these settings?

    postrider config consumer`
}

// Run prints the settings of the program, or every fault in them.
func (c *configCmd) Run(t *terminal) error {
	if c.Reference {
		_, err := fmt.Fprint(t.out, config.Reference())
		return err
	}
	program := config.New(c.Program)
	if err := config.Load(program); err != nil {
		return err
	}
	for _, s := range program.Effective() {
		if _, err := fmt.Fprintln(t.out, cell(s.String())); err != nil {
			return err
		}
	}
	return nil
}
