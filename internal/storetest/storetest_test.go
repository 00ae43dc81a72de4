package storetest_test

import (
	"database/sql"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is where databases come from, and how what is in one is listed.
type engine struct {
	made, empty func(testing.TB) string
	list        func(t *testing.T, url string) []string
}

func engines() map[string]engine {
	return map[string]engine{
		"postgres": {storetest.Postgres, storetest.EmptyPostgres, onPostgres},
		"sqlite":   {storetest.SQLite, storetest.EmptySQLite, inFile},
	}
}

func migrate(t *testing.T, url string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Migrate(t.Context()), s.Pending(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsMadeIsWhatMigrationsMake(t *testing.T) {
	for name, e := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, migrated := e.made(t), e.empty(t)
			got := e.list(t, made)
			migrate(t, migrated)
			if want := e.list(t, migrated); !slices.Equal(got, want) || len(got) < 50 {
				t.Errorf("what is made differs:\n%s\nfrom what is migrated:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			migrate(t, made)
			if again := e.list(t, made); !slices.Equal(got, again) {
				t.Errorf("a migration found something to do:\n%s", strings.Join(again, "\n"))
			}
		})
	}
}

func TestEachTestHasItsOwn(t *testing.T) {
	for name, e := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []func(testing.TB) string{e.made, e.empty} {
				if one, other := kind(t), kind(t); one == other {
					t.Errorf("two tests have %s", one)
				}
			}
			if found := e.list(t, e.empty(t)); len(found) != 0 {
				t.Errorf("in an empty one is %v", found)
			}
		})
	}
}

// onPostgres lists columns, indexes, constraints, functions, grants, steps taken and
// rows that steps made, without the name of the schema.
func onPostgres(t *testing.T, from string) []string {
	t.Helper()
	u, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), catalogue)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], u.Query().Get("search_path"), "SCHEMA")
	}
	return append(list, kept(t, "pgx", from, len(list) > 0)...)
}

const catalogue = `
SELECT format('column %s.%s %s %s %s %s', c.relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid))
	FROM pg_attribute JOIN pg_class c ON c.oid=attrelid LEFT JOIN pg_attrdef ON adrelid=attrelid AND adnum=attnum
	WHERE relnamespace=to_regnamespace(current_schema()) AND relkind='r' AND attnum>0
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname=current_schema()
UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace=to_regnamespace(current_schema())
UNION ALL SELECT format('function %s %s', pg_get_functiondef(oid), proacl) FROM pg_proc WHERE pronamespace=to_regnamespace(current_schema())
UNION ALL SELECT format('grants %s %s %s', relkind, relname, relacl) FROM pg_class WHERE relnamespace=to_regnamespace(current_schema()) AND relacl IS NOT NULL
UNION ALL SELECT format('grants of the schema %s', nspacl) FROM pg_namespace WHERE nspname=current_schema() AND nspacl IS NOT NULL
UNION ALL SELECT format('options of %s: %s', relname, reloptions) FROM pg_class WHERE relnamespace=to_regnamespace(current_schema()) AND reloptions IS NOT NULL
ORDER BY 1`

// inFile lists what the file says of itself.
func inFile(t *testing.T, from string) []string {
	t.Helper()
	file := strings.TrimPrefix(from, "sqlite:")
	list := ask(t, "sqlite", file, `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1`)
	if len(list) > 0 { // each table's statement holds many lines
		list = strings.Split(strings.Join(list, "\n"), "\n")
	}
	return append(list, kept(t, "sqlite", file, len(list) > 0)...)
}

// kept lists the steps taken, and what they put into tables.
func kept(t *testing.T, driver, source string, migrated bool) []string {
	t.Helper()
	if !migrated {
		return nil
	}
	return append(
		ask(t, driver, source, `SELECT 'step ' || version_id || ' ' || is_applied FROM goose_db_version ORDER BY id`),
		ask(t, driver, source, `SELECT 'tenant ' || id || ' ' || name FROM tenants ORDER BY id`)...)
}

func ask(t *testing.T, driver, source, query string) (list []string) {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		list = append(list, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
