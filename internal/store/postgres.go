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
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
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
	briskLock        = time.Second
	hastyLock        = 250 * time.Millisecond
	idleTimeout      = 10 * time.Second // in a transaction: its process is gone or stopped, its row locks are in everybody's way
	patience         = 4 * time.Second  // with which a connection is waited for
	connectTimeout   = 3 * time.Second  // to one host; less than patience, so that the next of several can still be reached
	pingTimeout      = time.Second      // of a connection that was idle; the next is tried then
	lifetimeJitter   = 10 * time.Minute // of connections, so that those made together after an outage do not end together
	reconnectEvery   = time.Second      // at most: replacing all connections is no answer to each of a thousand errors
)

func openPostgres(cfg Config, log *slog.Logger) (*handles, *dialect, error) {
	config, err := parsePostgres(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = int32(min(cfg.MaxConns, 10_000))
	config.AfterConnect = prepareSession
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, nil, errors.New(hidePassword(err.Error(), cfg.URL))
	}
	db := stdlib.OpenDBFromPool(pool)
	h := &handles{
		writer: db, reader: db, bells: newPostgresBell(config.ConnConfig.Copy(), log),
		reconnect: seldom(reconnectEvery, pool.Reset),
		close:     func() error { err := db.Close(); pool.Close(); return err },
	}
	return h, postgresDialect(config, log), nil
}

// seldom makes a call that does nothing when the last one was less than every
// ago.
func seldom(every time.Duration, do func()) func() {
	var mu sync.Mutex
	var last time.Time
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if last.IsZero() || time.Since(last) >= every {
			last = time.Now()
			do()
		}
	}
}

// parsePostgres reads the URL and adds our limits where it sets none.
func parsePostgres(text string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, errors.New("POSTRIDER_DATABASE_URL is neither postgres://… nor sqlite:FILE")
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil { // its chain may quote the URL
		return nil, fmt.Errorf("POSTRIDER_DATABASE_URL is wrong: %s; mend what that names", hidePassword(err.Error(), text))
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = pingTimeout
	}
	if config.MaxConnLifetimeJitter == 0 {
		config.MaxConnLifetimeJitter = lifetimeJitter
	}
	if severalHosts(config.ConnConfig) && config.ConnConfig.ValidateConnect == nil {
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	for name, value := range sessionSettings() {
		if _, set := config.ConnConfig.RuntimeParams[name]; !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	return config, nil
}

// sessionSettings are those of our sessions where the URL has no others.
//
// Every statement is about few rows and has an index that leads to them. The
// planner cannot know that: it prepares statements while the tables are empty, or
// after an outbox was empty when it was looked at, finds that reading the whole
// table is cheapest, and keeps to it while the table grows. So it is left no other
// way than from the list at hand through the index, row by row, and plans once.
// Where there is no index, a high cost stands for the missing one, which must not
// be taken for a reason to compile the statement.
func sessionSettings() map[string]string {
	return map[string]string{
		"statement_timeout": millisText(statementTimeout), "lock_timeout": millisText(lockTimeout),
		"idle_in_transaction_session_timeout": millisText(idleTimeout),
		"application_name":                    "postrider",
		"plan_cache_mode":                     "force_generic_plan",
		"enable_seqscan":                      "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
	}
}

// severalHosts: a primary and its standbys. Only one of them takes writes, and
// which one changes.
func severalHosts(c *pgx.ConnConfig) bool {
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != c.Host || f.Port != c.Port
	})
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

func postgresDialect(config *pgxpool.Config, log *slog.Logger) *dialect {
	return &dialect{
		engine:     "postgres",
		now:        `CAST(EXTRACT(EPOCH FROM statement_timestamp())*1000 AS BIGINT)`,
		lockRows:   ` FOR UPDATE`,
		skipLocked: ` FOR UPDATE SKIP LOCKED`,
		// The relay's commit may be lost with the server: its rows are published again.
		relayGuard: `SELECT set_config('idle_in_transaction_session_timeout', '` + millisText(publishLimit) + `', true),
			set_config('synchronous_commit', 'off', true)`,
		sweepGuard: `LOCK TABLE deliveries IN ROW EXCLUSIVE MODE NOWAIT`, // the lock of every UPDATE
		haste:      `SELECT set_config('lock_timeout', '` + millisText(hastyLock) + `', true)`,
		brisk:      ` AND set_config('lock_timeout', '` + millisText(briskLock) + `', true) IS NOT NULL`,
		epoch:      `CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT)`,
		hasTable:   `SELECT CASE WHEN to_regclass($1) IS NULL THEN 0 ELSE 1 END`,
		traces:     `strpos(lower(head COLLATE "C"), `, // that collation has no letters beyond ASCII
		list:       postgresList,
		begin:      beginPostgres,
		alone:      func(conn *sql.Conn) transaction { return &postgresTx{conn: conn} },
		goose:      goose.DialectPostgres,
		migrating:  func() (*sql.DB, func() error, error) { return migratingPostgres(config, log) },
		locked:     lockPostgresMigrations,
		transient:  rolledBack,
		away:       postgresAway,
		blocked:    lockedOut,
		refused:    statementRefused,
		moved:      readOnly,
		unreached:  namePooler,
		patience:   patience,
	}
}

// migratingPostgres is a handle without the time limits of the others: an index
// on a large table takes as long as it takes. What a step could not do for want of
// rights, it says in a notice.
func migratingPostgres(config *pgxpool.Config, log *slog.Logger) (*sql.DB, func() error, error) {
	c := config.ConnConfig.Copy()
	delete(c.RuntimeParams, "statement_timeout")
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		log.Warn("the database has a word on the migration", "notice", n.Message, "hint", n.Hint)
	}
	db := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(stayBesideTables))
	return db, db.Close, nil
}

// stayBesideTables makes the schema of our tables, or the one that they are to be
// made in, the only one of the session's search path. A step makes the schema
// postrider, and to a user of that name Postgres would offer it first from then on.
func stayBesideTables(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('search_path', quote_ident(name), false) FROM (SELECT COALESCE(
		(SELECT nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid=relnamespace WHERE c.oid=to_regclass($1)),
		current_schema()) AS name) AS s WHERE name IS NOT NULL`, pgx.QueryExecModeExec, versionTable)
	return err
}

// rolledBack: the server ended the transaction to solve a conflict, or because
// a statement prepared earlier does not fit any more: a migration changed a
// table, or another server has taken over. The driver has forgotten that
// statement by now.
func rolledBack(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "40001", "40P01", "26000":
		return true
	case "0A000": // of many meanings, told apart by the place in the server
		return pg.Routine == "RevalidateCachedQuery"
	}
	return false
}

// readOnly: a standby, or a primary that has become one.
func readOnly(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "25006"
}

// lockedOut: another transaction kept a lock for longer than one is waited for.
func lockedOut(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// statementRefused finds what PostgreSQL calls a syntax error or access rule violation.
func statementRefused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42")
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
