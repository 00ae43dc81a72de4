package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is the number of connections that read beside the one that writes.
const readers = 4

// openSQLite opens the file for this process alone: what is in memory, the
// queue above all, is only true of a database that nobody else changes.
func openSQLite(ctx context.Context, file string, _ *slog.Logger) (_ *handles, _ *dialect, err error) {
	file, err = filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	lock, err := lockFile(file + ".lock")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := createPrivate(file); err != nil {
		return nil, nil, err
	}
	writer, err := openHandle(ctx, file, 1, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, nil, err
	}
	reader, err := openHandle(ctx, file, readers, url.Values{"_pragma": {"query_only(1)"}})
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	h := &handles{writer: writer, reader: reader, bells: newBell(), reconnect: func() {}, close: func() error {
		return errors.Join(reader.Close(), writer.Close(), lock.Close())
	}}
	return h, sqliteDialect(writer), nil
}

// createPrivate makes the file before the engine does, which would let others
// read the mail in it.
func createPrivate(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the database file cannot be opened; check that its folder exists and may be written to: %w", err)
	}
	return f.Close()
}

func openHandle(ctx context.Context, file string, conns int, options url.Values) (*sql.DB, error) {
	for _, pragma := range []string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)",
	} {
		options.Add("_pragma", pragma)
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database file %s: %w", file, err), db.Close())
	}
	return db, nil
}

func sqliteDialect(writer *sql.DB) *dialect {
	return &dialect{
		engine:    "sqlite",
		now:       `CAST(unixepoch('subsec')*1000 AS INTEGER)`,
		epoch:     `'` + strconv.FormatInt(time.Now().UnixNano(), 36) + `'`, // of this opening
		hasTable:  `SELECT COUNT(*) FROM sqlite_master WHERE type='table' AND name=$1`,
		list:      sqliteList,
		begin:     beginSQL,
		traces:    `instr(lower(head), `,
		alone:     func(conn *sql.Conn) transaction { return sqlConn{conn} },
		goose:     goose.DialectSQLite3,
		migrating: func() (*sql.DB, func() error, error) { return writer, func() error { return nil }, nil },
		locked: func(context.Context, *sql.DB) ([]goose.ProviderOption, error) {
			return nil, nil // the file's lock holds
		},
		transient: func(error) bool { return false },
		away:      sqliteAway,
		blocked:   func(error) bool { return false }, // writers are alone
		refused:   sqliteRefused,
		moved:     func(error) bool { return false },
		unreached: func(err error) error { return err },
		patience:  opLimit / 2, // all writers wait for one connection
	}
}

// sqliteRefused finds statements that cannot be prepared. The engine has no code of its
// own for those.
func sqliteRefused(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_ERROR || e.Code() == sqlite3.SQLITE_AUTH || e.Code() == sqlite3.SQLITE_SCHEMA)
}

// sqliteAway finds the failures of a file that cannot be used now: held by
// somebody else's statement, on a full or broken disk, or read-only.
func sqliteAway(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}
