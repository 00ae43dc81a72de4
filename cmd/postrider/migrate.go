package main

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/app"
	"github.com/postrider/postrider/internal/config"
)

// migrateCmd brings the tables up to date.
type migrateCmd struct{}

// Help is the long help text.
func (migrateCmd) Help() string {
	return `Brings the tables of POSTRIDER_DATABASE_URL up to date. Run it before new versions of producer and consumer start; the old ones may go on meanwhile. Several at once are safe: one works, the others wait and find nothing to do.`
}

// Run migrates and says what was done.
func (migrateCmd) Run(ctx context.Context, t *terminal) error {
	var cfg config.Migrate
	if err := config.Load(&cfg); err != nil {
		return err
	}
	steps, err := app.Migrate(ctx, &cfg, app.Build{Program: "postrider", Version: version})
	if err != nil {
		return err
	}
	if steps == 0 {
		_, err = fmt.Fprintln(t.out, "The tables are up to date; nothing to do.")
	} else {
		_, err = fmt.Fprintf(t.out, "Done: %d steps applied.\n", steps)
	}
	return err
}
