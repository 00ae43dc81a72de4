package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionLimits names the settings of a session without which a host that
// vanishes keeps its row locks until TCP gives up, and a statement may hang for
// ever.
func sessionLimits() []string {
	return []string{"idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"}
}

// PoolerError: something between this program and Postgres refuses or drops the
// settings of its sessions. A pooler in transaction mode does, and could keep
// neither them nor LISTEN and the lock of a migration. It is retried like a
// database that is away: what stands in between may change.
type PoolerError struct {
	Lost []string // the settings that did not arrive
	Err  error    // what the pooler said; nil: it said nothing
}

// Error implements error. It names the remedy.
func (e *PoolerError) Error() string {
	text := "the database session does not have the limits it asked for (" + strings.Join(e.Lost, ", ") +
		"), so a pooler stands in between: let POSTRIDER_DATABASE_URL lead to Postgres itself, or use the pooler in session mode" +
		" and set these limits for the database role"
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap implements the protocol of errors.As.
func (e *PoolerError) Unwrap() error { return e.Err }

// keepHeap has the server's process allocate and free one large piece, to no other end
// than that the C library then holds on to as much free memory. glibc gives back what is
// free at the end of its heap as soon as that is 128 KiB (mallopt(3), M_TRIM_THRESHOLD),
// which is little more than one of our statements takes: nearly each made the heap
// smaller, for which other processors are interrupted, and the next made it larger
// again. That was half of what Postgres did for single mails. A piece that was mapped
// and freed raises that limit to twice its size.
const keepHeap = `SELECT length(repeat(' ', 4194304))`

// prepareSession looks whether a new session is fit for work, and makes it fast.
func prepareSession(ctx context.Context, conn *pgx.Conn) error {
	if err := refuseLaxSession(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, keepHeap); err != nil {
		return fmt.Errorf("warm up the session: %w", err)
	}
	return nil
}

// refuseLaxSession looks whether a new session has the limits it asked for.
func refuseLaxSession(ctx context.Context, conn *pgx.Conn) error {
	asked := slices.DeleteFunc(sessionLimits(), func(name string) bool {
		value := conn.Config().RuntimeParams[name]
		return value == "" || value == "0"
	})
	rows, err := conn.Query(ctx, `SELECT name FROM unnest($1::text[]) AS name WHERE current_setting(name)='0'`,
		pgx.QueryExecModeExec, asked)
	if err != nil {
		return fmt.Errorf("look at the limits of the session: %w", err)
	}
	lost, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look at the limits of the session: %w", err)
	}
	if len(lost) > 0 {
		return &PoolerError{Lost: lost}
	}
	return nil
}

// namePooler finds the refusal of a pooler among the reasons why there is no
// connection: Postgres itself never calls a setting a breach of its protocol.
func namePooler(err error) error {
	var connect *pgconn.ConnectError
	var pg *pgconn.PgError
	if errors.As(err, &connect) && errors.As(err, &pg) && pg.Code == "08P01" {
		return &PoolerError{Lost: sessionLimits(), Err: err}
	}
	return err
}
