package test

import (
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// migration starts `postrider migrate` under a name that the server shows.
func (s *stack) migration(name string) *process {
	s.Helper()
	u, err := url.Parse(s.database)
	if err != nil {
		s.Fatal(err)
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return launch(s.TB, "postrider", []string{"POSTRIDER_DATABASE_URL=" + u.String()}, "migrate")
}

// ends waits for a program that ends by itself, which must be with 0.
func (p *process) ends() {
	p.t.Helper()
	p.torn = true
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %v:\n%s", p.name, patience, p.out)
	}
	if p.err != nil {
		p.t.Errorf("%s: %v\n%s", p.name, p.err, p.out)
	}
}

// unmigrated is a distributed stack that is a schema and nothing else yet.
func unmigrated(t *testing.T) *stack {
	t.Helper()
	s := &stack{TB: t, mode: distributed, env: map[string]string{}}
	s.useServices()
	return s
}

// works holds the tables to their use: what is in them after a migration is
// enough for a mail to be sent.
func (s *stack) works() {
	s.Helper()
	again := s.migration("again")
	again.ends()
	if !strings.Contains(again.out.String(), "nothing to do") {
		s.Errorf("a later migration found something to do:\n%s", again.out)
	}
	user := newStackOn(s)
	sentOnce(user, user.post(mail("ann@example.com")))
}

// newStackOn starts the programs on the tables of s.
func newStackOn(s *stack) *stack {
	user := configured(s.TB, s.mode, setting{})
	user.prefix, user.database = s.prefix, s.database
	maps.Copy(user.env, s.env)
	user.env["POSTRIDER_DATABASE_URL"] = s.database
	user.startAll(setting{consumers: 1})
	return user
}

func TestMigrationsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	s := unmigrated(t)
	var crowd []*process
	for i := range 4 {
		crowd = append(crowd, s.migration(fmt.Sprint("migration-", i)))
	}
	for _, p := range crowd {
		p.ends()
	}
	s.works()
}

// Somebody else's transaction makes a table of the same name, uncommitted: the
// migration stands still exactly there until that transaction ends. There it is
// killed, while another one waits for it.
func TestAMigrationKilledMidwayIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"tenants", "deliveries", "lanes"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := unmigrated(t)
			db := s.db()
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "CREATE TABLE "+table+" ()"); err != nil {
				t.Fatal(err)
			}
			victim := s.migration("victim-" + s.prefix)
			s.awaitSession(db, "victim-"+s.prefix, `wait_event_type = 'Lock' AND query LIKE '%CREATE TABLE `+table+`%'`)
			second := s.migration("second-" + s.prefix)
			s.awaitSession(db, "second-"+s.prefix, `query LIKE '%pg_try_advisory_lock%'`)
			victim.kill()
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			second.ends()
			s.works()
		})
	}
}

// awaitSession waits until the server shows a session of that name in that
// state.
func (s *stack) awaitSession(db *sql.DB, name, state string) {
	s.Helper()
	s.eventually(name+" is where "+state, func() bool {
		var n int
		query := `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND ` + state
		return db.QueryRowContext(s.Context(), query, name[:min(len(name), 63)]).Scan(&n) == nil && n > 0
	})
}

// A file has one process at a time: of several migrations one works, and the
// others say what is the matter or come after it and find nothing to do.
func TestMigrationsOfOneFileTakeTurns(t *testing.T) {
	t.Parallel()
	s := &stack{TB: t, mode: embedded, database: "sqlite:" + filepath.Join(t.TempDir(), "story.db"), env: map[string]string{}}
	var crowd []*process
	for range 4 {
		crowd = append(crowd, s.fileMigration())
	}
	ended := 0
	for _, p := range crowd {
		<-p.done
		if p.torn = true; p.err == nil {
			ended++
		} else if !strings.Contains(p.out.String(), "another process uses this database") {
			t.Errorf("%v:\n%s", p.err, p.out)
		}
	}
	if ended == 0 {
		t.Error("no migration ended well")
	}
	s.fileWorks()
}

// The steps of a file are in its write-ahead log before they count. Killed as
// soon as anything is there, and at other moments around it, a migration leaves
// nothing that the next one cannot go on from.
func TestAMigrationOfAFileKilledMidwayIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		file := filepath.Join(t.TempDir(), "story.db")
		s := &stack{TB: t, mode: embedded, database: "sqlite:" + file, env: map[string]string{}}
		victim := s.fileMigration()
		s.eventually("the log has begun", func() bool {
			info, err := os.Stat(file + "-wal")
			return victim.exited() || err == nil && info.Size() > int64(round)*8192
		})
		victim.kill()
		s.fileWorks()
	}
}

func (s *stack) fileMigration() *process {
	s.Helper()
	return launch(s.TB, "postrider", []string{"POSTRIDER_DATABASE_URL=" + s.database}, "migrate")
}

// fileWorks ends the migration, whatever is left of it to do, and reads a table
// that its last step makes.
func (s *stack) fileWorks() {
	s.Helper()
	s.fileMigration().ends()
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.database, "sqlite:"))
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var check string
	if err := db.QueryRowContext(s.Context(), "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		s.Errorf("the file is %q, %v", check, err)
	}
	user := newStackOn(s)
	sentOnce(user, user.post(mail("ann@example.com")))
}
