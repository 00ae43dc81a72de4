// Package store keeps messages, deliveries and the outbox in Postgres or
// SQLite. Every step of the delivery protocol is one transaction whose guards
// stand in the WHERE of the row itself; what a step does is specified, as pure
// functions, in the package message, and the two are held together by the
// conformance suite.
//
// Time is the database's alone: one expression per engine, in milliseconds.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Config says which database to use, and for whom.
type Config struct {
	// URL is postgres://user:password@host:port/name or sqlite:FILE.
	URL string
	// Worker is this process; its ID stands on every claim.
	Worker message.Process
	// Lease is how long a claim lives without being renewed; 20 s by default.
	Lease time.Duration
	// Marking says when this process's claims are marked.
	Marking message.Marking
	// MaxConns bounds the connections to Postgres, the two of the wake-ups
	// aside; 16 by default.
	MaxConns int
	// ClockOffset is added to the database's time. It is the only time machine
	// there is, and nil outside of tests.
	ClockOffset func() time.Duration
	// Logger hears of what is lost when hints fail; nil: nobody does.
	Logger *slog.Logger
}

// Store is safe for concurrent use.
type Store struct {
	*handles
	*dialect
	cfg    Config
	log    *slog.Logger
	lease  int64 // milliseconds
	marks  marks
	closed atomic.Bool

	lookMost int // messages that a search looks at in one call; 0: walkMost
}

const (
	defaultLease    = 20 * time.Second
	defaultMaxConns = 16
)

// Open prepares the use of a database. Postgres is not contacted yet, so that
// a program can start before it; a SQLite file is locked for this process. The
// error never holds the URL's password.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Lease == 0 {
		cfg.Lease = defaultLease
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = defaultMaxConns
	}
	s := &Store{cfg: cfg, log: cfg.Logger, lease: cfg.Lease.Milliseconds()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if file, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		s.handles, s.dialect, err = openSQLite(ctx, file, s.log)
	} else {
		s.handles, s.dialect, err = openPostgres(cfg, s.log)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Close gives back every connection and the file lock. It waits for the
// statements in hand. Calls after it fail with message.ErrUnavailable. Only the
// first call does anything.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return errors.Join(s.bells.stop(), s.handles.close())
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, "ping", func(ctx context.Context, t *txn) error {
		return t.row(ctx, `SELECT 1`, nil, new(int))
	})
}

// Clock is the database's time, and the life of the database it belongs to.
func (s *Store) Clock(ctx context.Context) (message.Clock, error) {
	var clock message.Clock
	err := s.read(ctx, "read the clock", func(ctx context.Context, t *txn) error {
		var now int64
		defer func() { clock.Now = fromMillis(now) }()
		return t.row(ctx, `SELECT `+s.clock()+`, `+s.epoch, nil, &now, &clock.Epoch)
	})
	return clock, err
}

// clock is the expression for now.
func (s *Store) clock() string {
	if s.cfg.ClockOffset == nil {
		return s.now
	}
	return "(" + s.now + "+" + strconv.FormatInt(s.cfg.ClockOffset().Milliseconds(), 10) + ")"
}

// millis is a time as the tables keep it; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// unixMillis is 0 for the zero time.
func unixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
