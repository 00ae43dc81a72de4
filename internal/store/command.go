package store

import (
	"context"
	"database/sql"
	"errors"
)

// command is a statement with its arguments and what reads the rows it returns.
type command struct {
	query   string
	args    []any
	scan    func(row) error // called for each row; nil: it returns none
	changed *int64          // nil, or where to leave how many rows it changed
}

// row is the one a result stands at.
type row interface{ Scan(dest ...any) error }

// transaction is one on an engine, or a connection on which every run is one. It
// is used by one goroutine.
type transaction interface {
	// run has the commands done one after the other. None may need what another
	// has answered: an engine with a round trip gets all of them in one. With last
	// it commits behind them, and the transaction is over.
	run(ctx context.Context, commands []command, last bool) error
	commit(ctx context.Context) error
	rollback() error // does nothing after the commit
}

// sqlTx is a transaction by database/sql, for an engine without a round trip.
type sqlTx struct{ tx *sql.Tx }

func beginSQL(ctx context.Context, conn *sql.Conn, readOnly bool) (transaction, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	return sqlTx{tx}, err
}

func (t sqlTx) run(ctx context.Context, commands []command, last bool) error {
	if err := runEach(ctx, t.tx, commands); err != nil || !last {
		return err
	}
	return t.tx.Commit()
}

func (t sqlTx) commit(context.Context) error { return t.tx.Commit() }
func (t sqlTx) rollback() error              { return t.tx.Rollback() }

// sqlConn runs every command by itself.
type sqlConn struct{ conn *sql.Conn }

func (c sqlConn) run(ctx context.Context, commands []command, _ bool) error {
	return runEach(ctx, c.conn, commands)
}

func (c sqlConn) commit(context.Context) error { return nil }
func (c sqlConn) rollback() error              { return nil }

// querier is what transactions and connections of database/sql share.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func runEach(ctx context.Context, q querier, commands []command) error {
	for _, c := range commands {
		run := runOne
		if c.scan == nil {
			run = execOne
		}
		if err := run(ctx, q, c); err != nil {
			return err
		}
	}
	return nil
}

func execOne(ctx context.Context, q querier, c command) error {
	res, err := q.ExecContext(ctx, c.query, c.args...)
	if err == nil && c.changed != nil {
		*c.changed, err = res.RowsAffected()
	}
	return err
}

// runOne reads to the end: a statement that changes rows is complete only then.
func runOne(ctx context.Context, q querier, c command) (err error) {
	rows, err := q.QueryContext(ctx, c.query, c.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := c.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
