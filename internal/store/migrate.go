package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/postrider/postrider/migrations"
)

const (
	versionTable = "goose_db_version"
	ownTable     = "lanes" // of the first step: where a step was taken and it is missing, the steps are another program's
)

// errNoSchema: the first step would say that its own table is missing.
var errNoSchema = errors.New("there is no schema for the tables: make the one that search_path in POSTRIDER_DATABASE_URL names, by CREATE SCHEMA, or let this user use it")

// errStrangers: another program counts its migrations in a table of the same name. Its
// numbers would be taken for ours, and ours for its own.
var errStrangers = errors.New("the table " + versionTable + ` of this database counts another program's migrations: ` +
	`give Postrider a schema of its own, by CREATE SCHEMA postrider and search_path=postrider in POSTRIDER_DATABASE_URL`)

// PendingError: the schema is older than the program.
type PendingError struct{ Have, Want int64 }

// Error implements error. It names the remedy.
func (e *PendingError) Error() string {
	return fmt.Sprintf("the database is at schema version %d and this program needs %d: run \"postrider migrate\"", e.Have, e.Want)
}

// Migrate brings the schema up to date. Several processes may do so at once:
// one works, the others wait for it. Where another program's migrations are
// counted, nothing is done.
func (s *Store) Migrate(ctx context.Context) error {
	if _, _, err := s.MigrationVersion(ctx); err != nil {
		return err
	}
	return s.withProvider(ctx, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

func (s *Store) withProvider(ctx context.Context, do func(*goose.Provider) error) (err error) {
	db, done, err := s.migrating()
	if err != nil {
		return s.fail("migrate", err)
	}
	defer func() { err = errors.Join(err, done()) }()
	others, err := migrations.Others(s.engine)
	if err != nil {
		return s.fail("migrate", err)
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithExcludeNames(others)}
	more, err := s.locked(ctx, db)
	if err != nil {
		return s.fail("migrate", err)
	}
	p, err := goose.NewProvider(s.goose, db, migrations.Files, append(options, more...)...)
	if err != nil {
		return s.fail("migrate", err)
	}
	return s.fail("migrate", do(p))
}

// MigrationVersion returns the version of the schema (0: none) and the one this
// program brings. It changes nothing.
func (s *Store) MigrationVersion(ctx context.Context) (have, want int64, err error) {
	if want, err = newest(); err != nil {
		return 0, 0, err
	}
	err = s.read(ctx, "read the schema version", func(ctx context.Context, t *txn) error {
		var there int
		if err := t.row(ctx, t.hasTable, []any{versionTable}, &there); err != nil || there == 0 {
			return err
		}
		err := t.row(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+versionTable+` WHERE is_applied`, nil, &have)
		if err != nil || have == 0 {
			return err
		}
		if err = t.row(ctx, t.hasTable, []any{ownTable}, &there); err == nil && there == 0 {
			err = errStrangers
		}
		return err
	})
	return have, want, err
}

// newest is the number of the last embedded step.
func newest() (int64, error) {
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil || len(names) == 0 {
		return 0, errors.Join(errors.New("no migrations are embedded"), err)
	}
	return goose.NumericComponent(names[len(names)-1])
}

// Pending is nil when the schema has all that this program needs, and a
// *PendingError when it has not. A newer schema is fine: steps only add.
func (s *Store) Pending(ctx context.Context) error {
	have, want, err := s.MigrationVersion(ctx)
	if err == nil && have < want {
		err = &PendingError{Have: have, Want: want}
	}
	return err
}

// lockPostgresMigrations makes migrations wait for each other by an advisory
// lock, one for each schema.
func lockPostgresMigrations(ctx context.Context, db *sql.DB) ([]goose.ProviderOption, error) {
	var schema sql.NullString
	if err := db.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return nil, err
	}
	if !schema.Valid {
		return nil, errNoSchema
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte("postrider migrations " + schema.String)) // never fails
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(int64(sum.Sum32())), lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, err
	}
	return []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}
