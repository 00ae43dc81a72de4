package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	maxRepeats  = 8 // of a transaction the database rolled back by itself
	repeatPause = 20 * time.Millisecond
	repeatMost  = 320 * time.Millisecond
	opLimit     = 20 * time.Second // on one transaction: a database that hangs is one that is away
)

// txn is a transaction, or a handle on which every statement is its own.
type txn struct {
	*Store
	under transaction
	over  bool  // committed with its last commands
	due   lanes // of which rows of the outbox became due: rung for once committed
}

// step does one piece of work inside a transaction. It may be called again.
type step func(ctx context.Context, t *txn) error

// tx runs do in one transaction and repeats it when the database rolled it
// back to break a deadlock.
func (s *Store) tx(ctx context.Context, op string, do step) error {
	return s.repeat(ctx, op, func(ctx context.Context) error {
		return s.once(ctx, s.writer, false, do)
	})
}

// single runs a step of one statement without the round trips of a transaction.
func (s *Store) single(ctx context.Context, op string, do step) error {
	return s.repeat(ctx, op, func(ctx context.Context) error {
		return s.on(ctx, s.writer, func(conn *sql.Conn) error { return do(ctx, &txn{Store: s, under: s.alone(conn)}) })
	})
}

// read runs statements that change nothing.
func (s *Store) read(ctx context.Context, op string, do step) error {
	return s.repeat(ctx, op, func(ctx context.Context) error {
		return s.on(ctx, s.reader, func(conn *sql.Conn) error { return do(ctx, &txn{Store: s, under: s.alone(conn)}) })
	})
}

// snapshot runs statements that change nothing and see one state together.
func (s *Store) snapshot(ctx context.Context, op string, do step) error {
	return s.repeat(ctx, op, func(ctx context.Context) error {
		return s.once(ctx, s.reader, true, do)
	})
}

func (s *Store) repeat(ctx context.Context, op string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, opLimit)
	defer cancel()
	var err error
	for n := range maxRepeats {
		if err = do(ctx); err == nil || !s.passing(err) {
			break
		}
		idle(ctx, time.Duration(rand.Int64N(int64(min(repeatPause<<n, repeatMost)))))
	}
	return s.fail(op, err)
}

func idle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// on runs do with a connection. It waits for one no longer than the engine's
// patience, which is far less than a statement may take: a caller who finds
// every connection in use, or the server full, is told so while he still waits.
func (s *Store) on(ctx context.Context, db *sql.DB, do func(*sql.Conn) error) (err error) {
	waiting, cancel := context.WithTimeout(ctx, s.patience)
	conn, err := db.Conn(waiting)
	cancel()
	if err != nil {
		return &connectError{s.unreached(err)}
	}
	defer func() { err = errors.Join(err, undone(conn.Close())) }()
	if err = do(conn); s.moved(err) {
		s.reconnect()
	}
	return err
}

// once runs do in a transaction. One that changes nothing sees one state.
func (s *Store) once(ctx context.Context, db *sql.DB, readOnly bool, do step) error {
	return s.on(ctx, db, func(conn *sql.Conn) (err error) {
		tx, err := s.begin(ctx, conn, readOnly)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, undone(tx.rollback())) }() // does nothing after the commit
		t := &txn{Store: s, under: tx}
		if err := do(ctx, t); err != nil {
			return err
		}
		if !t.over {
			if err := tx.commit(ctx); err != nil {
				return err
			}
		}
		if len(t.due) > 0 {
			s.bells.ring(t.due)
		}
		return nil
	})
}

// undone passes over what a rollback says about a transaction that is already
// over, or a connection that is gone: the first error tells more.
func undone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || absent(err) {
		return nil
	}
	return err
}

// each runs do on all items in one transaction. When one of them is at fault,
// not the database, each gets a transaction of its own, so that no item fails
// for another.
func each[T any](ctx context.Context, s *Store, op string, items []T, do func(context.Context, *txn, []T) error) []error {
	errs := make([]error, len(items))
	if len(items) == 0 {
		return errs
	}
	err := s.tx(ctx, op, func(ctx context.Context, t *txn) error { return do(ctx, t, items) })
	if err == nil {
		return errs
	}
	if len(items) == 1 || isUnavailable(err) {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	for i := range items {
		errs[i] = s.tx(ctx, op, func(ctx context.Context, t *txn) error { return do(ctx, t, items[i:i+1]) })
	}
	return errs
}

// run has commands done that need nothing of each other's answers, on Postgres in
// one round trip.
func (t *txn) run(ctx context.Context, commands ...command) error {
	if len(commands) == 0 {
		return nil
	}
	return t.under.run(ctx, commands, false)
}

// last is run for the last commands of a transaction, which is committed with them.
// What is to happen only after the commit happens after the step, as always.
func (t *txn) last(ctx context.Context, commands ...command) error {
	if len(commands) == 0 {
		return nil
	}
	err := t.under.run(ctx, commands, true)
	t.over = err == nil
	return err
}

// guard is what the engine asks of a transaction at its start; "": nothing.
func guard(query string) []command {
	if query == "" {
		return nil
	}
	return []command{{query: query}}
}

// exec runs a statement and returns how many rows it changed.
func (t *txn) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	err = t.run(ctx, command{query: query, args: args, changed: &changed})
	return changed, err
}

// rows runs a query and calls scan for each row.
func (t *txn) rows(ctx context.Context, query string, args []any, scan func(row) error) error {
	return t.run(ctx, command{query: query, args: args, scan: scan})
}

// row runs a query of one row; none is sql.ErrNoRows.
func (t *txn) row(ctx context.Context, query string, args []any, dest ...any) error {
	found := false
	err := t.rows(ctx, query, args, func(rows row) error {
		found = true
		return rows.Scan(dest...)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// passing reports whether the transaction was certainly rolled back and may
// well succeed when repeated.
func (s *Store) passing(err error) bool {
	return errors.Is(err, errKeyVanished) || errors.Is(err, errAliasVanished) || s.transient(err)
}
