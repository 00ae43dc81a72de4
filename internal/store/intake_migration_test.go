package store_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/migrations"
)

// owned makes a database for one test and returns the URL of an administrator in it,
// and of a user who may make tables in its schema public and nothing else.
func owned(t *testing.T) (admin, user string) {
	t.Helper()
	server := os.Getenv("POSTRIDER_TEST_DATABASE_URL")
	name := "test_" + uuid.NewString()[:8]
	administer(t, server, `CREATE DATABASE `+name)
	administer(t, server, `CREATE ROLE `+name+` LOGIN PASSWORD 'x'`)
	t.Cleanup(func() {
		administer(t, server, `DROP DATABASE `+name+` WITH (FORCE)`)
		administer(t, server, `DROP ROLE `+name)
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL is not a URL")
	}
	u.Path = "/" + name
	admin = u.String()
	administer(t, admin, `GRANT CREATE ON SCHEMA public TO `+name)
	u.User = url.UserPassword(name, "x")
	return admin, u.String()
}

func administer(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err == nil {
		_, err = conn.Exec(context.Background(), statement)
		_ = conn.Close(context.Background())
	}
	if err != nil {
		t.Errorf("%.80s: %v", statement, err)
	}
}

// migrated brings the tables up to date and returns what was logged.
func migrated(t *testing.T, url string) string {
	t.Helper()
	var log bytes.Buffer
	s, err := store.Open(t.Context(), store.Config{URL: url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return log.String()
}

// functions lists where the function stands.
func functions(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var list string
	err = conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(pronamespace::regnamespace::text, ' ' ORDER BY pronamespace::regnamespace::text), '')
		FROM pg_proc WHERE proname='enqueue_email'`).Scan(&list)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func in(t *testing.T, database, schema string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestWhereTheFunctionStands(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		url    func(admin, user string) string
		want   string
	}{
		"tables in public":                              {"", func(admin, _ string) string { return admin }, "postrider"},
		"the schema is there":                           {`CREATE SCHEMA postrider; GRANT CREATE, USAGE ON SCHEMA postrider TO PUBLIC`, func(_, user string) string { return user }, "postrider"},
		"the schema is there and closed":                {`CREATE SCHEMA postrider`, func(_, user string) string { return user }, "public"},
		"a user who may create neither schema nor role": {"", func(_, user string) string { return user }, "public"},
		"tables in another schema":                      {`CREATE SCHEMA "Mail-2"`, func(admin, _ string) string { return in(t, admin, `"Mail-2"`) }, `"Mail-2"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin, user := owned(t)
			if c.before != "" {
				administer(t, admin, c.before)
			}
			told := migrated(t, c.url(admin, user))
			if unable := c.url("", user) == user && c.want == "public"; strings.Contains(told, "may not create the schema") != (unable && c.before == "") {
				t.Errorf("the log says %q", told)
			}
			migrated(t, c.url(admin, user)) // nothing to do, in the same place
			if got := functions(t, admin); got != c.want {
				t.Errorf("the function stands in %s, want %s", got, c.want)
			}
		})
	}
}

// A user called postrider has the new schema in his search path, before public. The
// steps that come later still go where the tables are.
func TestLaterStepsStayBesideTheTables(t *testing.T) {
	t.Parallel()
	admin, _ := owned(t)
	migrated(t, admin)
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), `CREATE SCHEMA IF NOT EXISTS "`+conn.Config().User+`"`); err != nil {
		t.Fatal(err)
	}
	db, done, err := store.Migrating(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	var before, after string
	row := conn.QueryRow(t.Context(), `SELECT current_schema()`)
	if err := row.Scan(&before); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), `SELECT current_schema()`).Scan(&after); err != nil || before == "public" || after != "public" {
		t.Errorf("a session creates in %q, a migration in %q, %v", before, after, err)
	}
}

func TestTwoInstallationsInOneDatabase(t *testing.T) {
	t.Parallel()
	admin, _ := owned(t)
	administer(t, admin, `CREATE SCHEMA postrider`)
	migrated(t, in(t, admin, "postrider"))
	migrated(t, in(t, admin, "public"))
	if got := functions(t, admin); got != "postrider public" {
		t.Errorf("the functions stand in %q", got)
	}
	administer(t, admin, `SELECT public.enqueue_email('`+letter+`')`)
	administer(t, admin, `DO $$ BEGIN IF (SELECT count(*) FROM public.intake) <> 1 OR EXISTS (SELECT FROM postrider.intake) THEN
		RAISE EXCEPTION 'it went to the other'; END IF; END $$`)
}

// halves are the way up and the way down of the step.
func halves(t *testing.T) (up, down string) {
	t.Helper()
	text, err := fs.ReadFile(migrations.Files, "00004_enqueue.postgres.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, down, _ = strings.Cut(string(text), "-- +goose Down")
	return up, down
}

func TestTheStepGoesDownAndUp(t *testing.T) {
	t.Parallel()
	admin, _ := owned(t)
	migrated(t, admin)
	up, down := halves(t)
	admin = in(t, admin, "public")
	administer(t, admin, down)
	if got := functions(t, admin); got != "" {
		t.Errorf("functions are left in %s", got)
	}
	administer(t, admin, up)
	administer(t, admin, `SELECT postrider.enqueue_email('`+letter+`')`)
}

// The role of the tests' server is there already, so this one has another name.
func TestAUserWhoMayNotCreateTheRoleIsTold(t *testing.T) {
	t.Parallel()
	_, user := owned(t)
	migrated(t, user)
	up, down := halves(t)
	administer(t, user, down)
	config, err := pgx.ParseConfig(user)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { told.WriteString(n.Message + "\n") }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	name := "postrider_test_" + uuid.NewString()[:8]
	if _, err := conn.Exec(t.Context(), strings.ReplaceAll(up, "postrider_enqueue", name)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"may not create the schema postrider", "may not create the role " + name} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is not in %q", want, told.String())
		}
	}
	if _, err := conn.Exec(t.Context(), `SELECT enqueue_email($1::jsonb)`, letter); err != nil {
		t.Error(err)
	}
}
