package app

import (
	"context"
	"errors"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

// Migrate brings the tables up to date and returns how many steps that took.
func Migrate(ctx context.Context, c *config.Migrate, b Build) (steps int, err error) {
	log := Logger(c.Log)
	if err := makeFolder(c.Database.URL.DSN()); err != nil {
		return 0, err
	}
	s, err := store.Open(ctx, store.Config{
		URL: c.Database.URL.DSN(), Worker: message.Process{Program: b.Program, Version: b.Version}, Logger: log,
	})
	if err != nil {
		return 0, err
	}
	a := newApp(log)
	a.opened("database", s.Close)
	defer func() { _ = a.Stop(context.WithoutCancel(ctx)) }() // nothing is in hand: closing cannot lose anything
	if err := awaitDatabase(ctx, log, s); err != nil {
		return 0, err
	}
	err = s.Pending(ctx)
	behind, ok := errors.AsType[*store.PendingError](err)
	if !ok {
		return 0, err
	}
	return int(behind.Want - behind.Have), s.Migrate(ctx)
}
