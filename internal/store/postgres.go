package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// The limits of every connection. Those of single statements and locks lie
// below opLimit, so that the server says what was slow.
const (
	statementTimeout = 15 * time.Second
	lockTimeout      = 5 * time.Second
	idleTimeout      = 10 * time.Second // in a transaction: its process is gone or stopped, its row locks are in everybody's way
	connectTimeout   = 5 * time.Second
)

func openPostgres(cfg Config, log *slog.Logger) (*handles, *dialect, error) {
	config, err := parsePostgres(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = int32(min(cfg.MaxConns, 10_000))
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, nil, errors.New(hidePassword(err.Error(), cfg.URL))
	}
	db := stdlib.OpenDBFromPool(pool)
	h := &handles{
		writer: db, reader: db, bells: newPostgresBell(config.ConnConfig.Copy(), log),
		close: func() error { err := db.Close(); pool.Close(); return err },
	}
	return h, postgresDialect(config), nil
}

// parsePostgres reads the URL and adds our limits where it sets none.
func parsePostgres(text string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, errors.New("the database URL is neither postgres://… nor sqlite:FILE")
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil { // its chain may quote the URL
		return nil, fmt.Errorf("read the database URL: %s", hidePassword(err.Error(), text))
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"statement_timeout": millisText(statementTimeout), "lock_timeout": millisText(lockTimeout),
		"idle_in_transaction_session_timeout": millisText(idleTimeout),
		"application_name":                    "postrider",
	} {
		if _, set := config.ConnConfig.RuntimeParams[name]; !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	return config, nil
}

func millisText(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// hidePassword makes text printable that may quote the URL: as a whole, its
// login, or its password in either spelling.
func hidePassword(text, databaseURL string) string {
	_, rest, _ := strings.Cut(databaseURL, "://")
	login := rest[:max(strings.LastIndex(rest, "@"), 0)]
	_, password, _ := strings.Cut(login, ":")
	secrets := []string{databaseURL, login, password}
	if plain, err := url.PathUnescape(password); err == nil {
		secrets = append(secrets, plain)
	}
	if u, err := url.Parse(databaseURL); err == nil {
		secrets = append(secrets, u.Query().Get("password"))
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

func postgresDialect(config *pgxpool.Config) *dialect {
	return &dialect{
		engine:     "postgres",
		now:        `CAST(EXTRACT(EPOCH FROM statement_timestamp())*1000 AS BIGINT)`,
		lockRows:   ` FOR UPDATE`,
		skipLocked: ` FOR UPDATE SKIP LOCKED`,
		relayGuard: `SET LOCAL idle_in_transaction_session_timeout=` + millisText(publishLimit),
		epoch:      `CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT)`,
		hasTable:   `SELECT CASE WHEN to_regclass($1) IS NULL THEN 0 ELSE 1 END`,
		casts:      map[kind]string{kindUUID: "::uuid", kindInt: "::bigint", kindText: "::text", kindBytes: "::bytea"},
		isolation:  sql.LevelRepeatableRead,
		goose:      goose.DialectPostgres,
		migrating:  func() (*sql.DB, func() error, error) { return migratingPostgres(config) },
		locked:     lockPostgresMigrations,
		transient:  rolledBack,
		away:       postgresAway,
	}
}

// migratingPostgres is a handle without the time limits of the others: an index
// on a large table takes as long as it takes.
func migratingPostgres(config *pgxpool.Config) (*sql.DB, func() error, error) {
	c := config.ConnConfig.Copy()
	delete(c.RuntimeParams, "statement_timeout")
	db := stdlib.OpenDB(*c)
	return db, db.Close, nil
}

// rolledBack: the server ended the transaction to solve a conflict.
func rolledBack(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// postgresAway finds the failures of a server that cannot serve now: gone,
// going, full, out of connections, a standby, or too slow.
func postgresAway(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return slices.Contains([]string{"08", "53", "57", "58"}, pg.Code[:min(2, len(pg.Code))]) ||
			slices.Contains([]string{"25006", "25P03", "55P03"}, pg.Code)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}
