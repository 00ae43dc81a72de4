package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

func TestNoErrorHoldsThePassword(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"bad port":      "postgres://app:s3cr%25et@localhost:port/x",
		"bad option":    "postgres://app:s3cr%25et@localhost/x?sslmode=maybe",
		"bad escape":    "postgres://app:s3cr%et@localhost/x",
		"bad host":      "postgres://app:s3cr%25et@[::1/x",
		"other scheme":  "mysql://app:s3cr%25et@localhost/x",
		"as parameter":  "postgres://localhost/x?password=s3cr%25et&pool_max_conns=no",
		"nobody there":  "postgres://app:s3cr%25et@127.0.0.1:1/x",
		"unknown place": "postgres://app:s3cr%25et@nowhere.invalid/x",
	} {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil && !strings.Contains(err.Error(), "POSTRIDER_DATABASE_URL") {
			t.Errorf("%s: %v does not name the setting", name, err)
		}
		if err == nil {
			err = s.Ping(t.Context())
			if !errors.Is(err, message.ErrUnavailable) {
				t.Errorf("%s: %v is not the database's absence", name, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneProcessOwnsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a b?c#d.db")
	cfg := store.Config{URL: "sqlite:" + file}
	first, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "stop it") {
		t.Errorf("second open: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if err := again.Pending(t.Context()); err != nil {
		t.Errorf("what was written before: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the mail: %v %v", info.Mode(), err)
	}
}

func TestAFolderThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "no", "where.db")})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "check that its folder exists") {
		t.Error(err)
	}
}

func engines(t *testing.T, run func(t *testing.T, url string)) {
	onEach(t, storetest.SQLite, storetest.Postgres, run)
}

func onEach(t *testing.T, sqlite, postgres func(testing.TB) string, run func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, postgres(t))
	})
}

func TestASchemaThatIsMissingIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(storetest.EmptyPostgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", "nowhere")
	u.RawQuery = q.Encode()
	s, err := store.Open(t.Context(), store.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "CREATE SCHEMA") || !strings.Contains(err.Error(), "POSTRIDER_DATABASE_URL") {
		t.Error(err)
	}
}

// An earlier version goes on, and starts again, on the tables of a later one.
func TestALaterSchemaIsLeftAsItIs(t *testing.T) {
	onEach(t, storetest.SQLite, storetest.Postgres, func(t *testing.T, url string) {
		driver := map[bool]string{true: "sqlite", false: "pgx"}[strings.HasPrefix(url, "sqlite:")]
		db, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)`)
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if err := errors.Join(s.Pending(t.Context()), s.Migrate(t.Context()), s.Pending(t.Context())); err != nil {
			t.Error(err)
		}
		if have, _, err := s.MigrationVersion(t.Context()); have != 1000 || err != nil {
			t.Errorf("version %d: %v", have, err)
		}
	})
}

// Programs in Go often count their migrations in a table of this name, and callers who
// enqueue within their own transactions have their tables in our database.
func TestTheMigrationsOfAnotherProgramAreNotTakenForOurs(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{"counted": "1, 2, 3", "dated": "20260101120000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.EmptyPostgres(t)
			db, err := sql.Open("pgx", url)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), `CREATE TABLE goose_db_version (id int GENERATED BY DEFAULT AS IDENTITY,
				version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now())`); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) SELECT step, true FROM unnest(ARRAY[0, `+steps+`]) AS step`); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), store.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			for what, err := range map[string]error{"pending": s.Pending(t.Context()), "migrate": s.Migrate(t.Context())} {
				if err == nil || !strings.Contains(err.Error(), "search_path=postrider in POSTRIDER_DATABASE_URL") {
					t.Errorf("%s: %v", what, err)
				}
			}
			var tables int
			if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_class WHERE relkind='r' AND relnamespace=current_schema()::regnamespace`).Scan(&tables); err != nil || tables != 1 {
				t.Errorf("%d tables: %v", tables, err)
			}
		})
	}
}

func TestAnOldSchemaIsNamedWithItsRemedy(t *testing.T) {
	onEach(t, storetest.EmptySQLite, storetest.EmptyPostgres, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		pending, ok := errors.AsType[*store.PendingError](s.Pending(t.Context()))
		if !ok || pending.Have != 0 || pending.Want < 1 || !strings.Contains(pending.Error(), "postrider migrate") {
			t.Fatalf("before: %+v", pending)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := s.Pending(t.Context()); err != nil {
			t.Errorf("after: %v", err)
		}
	})
}

// TestAStoreHealsByItself ends every connection while they are used.
func TestAStoreHealsByItself(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, url, message.Process{ID: uuid.New()}, clock)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	kill := func() {
		execute(t, db, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid=l.relation
			WHERE c.relname='outbox' AND c.relnamespace=current_schema()::regnamespace AND l.pid<>pg_backend_pid()`)
	}
	post(t, s, mail())
	published := 0
	relay := func(meanwhile func()) error {
		_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
			published++
			meanwhile()
			return make([]error, len(refs))
		})
		return err
	}
	clock.Advance(time.Minute) // it stands still: the row is due for certain
	if err := relay(kill); published != 1 || !errors.Is(err, message.ErrUnavailable) {
		t.Fatalf("its connection ended: published %d times, %v", published, err)
	}
	deadline := time.Now().Add(time.Minute)
	for published == 1 && time.Now().Before(deadline) { // the server says that a session ends before it gives its locks free
		if err := relay(func() {}); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
	}
	if published != 2 {
		t.Fatalf("afterwards: published %d times", published)
	}
}

// TestAHangingRelayLosesItsRows takes the time the database gives a relay.
func TestAHangingRelayLosesItsRows(t *testing.T) {
	t.Parallel()
	clock := conformance.NewClock()
	s := open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, clock)
	post(t, s, mail())
	clock.Advance(time.Minute)
	taken := 0
	_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 10, func(ctx context.Context, refs []message.Ref) []error {
		for started := time.Now(); taken == 0 && time.Since(started) < 30*time.Second; {
			var err error
			taken, _, err = s.Dispatch(t.Context(), message.LaneNormal, 10, func(_ context.Context, refs []message.Ref) []error {
				return make([]error, len(refs))
			})
			if err != nil {
				t.Error(err)
			}
			_ = pause.For(t.Context(), 50*time.Millisecond) // nothing tells that a lock has gone
		}
		return make([]error, len(refs))
	})
	if taken != 1 || !errors.Is(err, message.ErrUnavailable) {
		t.Fatalf("another relay took %d rows; the first one's end: %v", taken, err)
	}
}

// TestAProcessThatVanishesBlocksNobodyForLong takes the time the database gives
// a transaction that nobody goes on with: a host that lost its power inside one
// would else hold its rows until TCP gives up.
func TestAProcessThatVanishesBlocksNobodyForLong(t *testing.T) {
	t.Parallel()
	clock := conformance.NewClock()
	s := open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, clock)
	post(t, s, mail())
	clock.Advance(time.Minute)
	var ref message.Ref
	_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 1, func(_ context.Context, refs []message.Ref) []error {
		ref = refs[0]
		return make([]error, len(refs))
	})
	if err != nil {
		t.Fatal(err)
	}
	state := message.ClaimNothing
	err = s.Hold(t.Context(), ref.Key, func() {
		for started := time.Now(); state != message.ClaimTaken && time.Since(started) < 30*time.Second; {
			if claims, err := s.Claim(t.Context(), []message.Bid{{Ref: ref}}); err == nil { // waits for its lock timeout
				state = claims[0].State
			}
		}
	})
	if state != message.ClaimTaken || err == nil {
		t.Fatalf("another's claim came to %v; the vanished process's commit: %v", state, err)
	}
}

func TestADamagedMessageFailsAlone(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	s := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
	list := []message.Submission{mail(), mail(), mail()}
	post(t, s, list...)
	var bids []message.Bid
	for _, m := range list {
		bids = append(bids, message.Bid{Ref: message.Ref{Key: message.Key{MessageID: m.Message.ID}, Dispatch: 1}})
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `UPDATE messages SET content='{' WHERE id=$1`, bids[1].MessageID); err != nil {
		t.Fatal(err)
	}
	claims, err := s.Claim(t.Context(), bids)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []message.ClaimState{message.ClaimTaken, message.ClaimMissing, message.ClaimTaken} {
		if claims[i].State != want {
			t.Errorf("claim %d: %v, want %v", i, claims[i].State, want)
		}
	}
}

// A login that may not read a table, say, can read no message at all: none of them is at
// fault, and a claim that cannot be worked on would only count against it.
func TestATableThatCannotBeReadIsNoDamagedMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ url, driver, file string }{
		"postgres": {storetest.Postgres(t), "pgx", ""}, "sqlite": {storetest.SQLite(t), "sqlite", "sqlite:"},
	} {
		s := open(t, c.url, message.Process{ID: uuid.New()}, conformance.NewClock())
		m := mail()
		post(t, s, m)
		db, err := sql.Open(c.driver, strings.TrimPrefix(c.url, c.file))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		bids := []message.Bid{{Ref: message.Ref{Key: message.Key{MessageID: m.Message.ID}, Dispatch: 1}}}
		for _, columns := range []string{"content TO contents", "contents TO content"} {
			if _, err := db.ExecContext(t.Context(), `ALTER TABLE messages RENAME COLUMN `+columns); err != nil {
				t.Fatal(err)
			}
			claims, err := s.Claim(t.Context(), bids)
			if lost := columns == "content TO contents"; lost != (err != nil) || !lost && claims[0].State != message.ClaimTaken {
				t.Errorf("%s, %s: %v, %v", name, columns, claims, err)
			}
		}
	}
}
