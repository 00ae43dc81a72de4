package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// rollbackLimit bounds the taking back of a transaction whose own time may be up.
const rollbackLimit = time.Second

// postgresTx is a transaction that costs as few round trips as it can. It begins
// with its first commands; those of one run travel together; and a transaction of a
// single run needs neither BEGIN nor COMMIT: the server takes all that comes before
// one Sync for one transaction (Frontend/Backend Protocol, 55.2.4 Pipelining).
type postgresTx struct {
	conn  *sql.Conn
	begin string // the statement; "": every run is a transaction of its own
	open  bool   // it has begun
}

func beginPostgres(_ context.Context, conn *sql.Conn, readOnly bool) (transaction, error) {
	if readOnly {
		return &postgresTx{conn: conn, begin: "begin isolation level repeatable read read only"}, nil
	}
	return &postgresTx{conn: conn, begin: "begin"}, nil
}

// run implements transaction. An error leaves nothing of the run, whatever was sent
// behind the statement at fault.
func (t *postgresTx) run(ctx context.Context, commands []command, last bool) error {
	var batch pgx.Batch
	enter := t.begin != "" && !t.open && !last
	if enter {
		batch.Queue(t.begin)
	}
	for _, c := range commands {
		batch.Queue(c.query, c.args...)
	}
	leave := t.open && last
	if leave {
		batch.Queue("commit")
	}
	t.open = t.open || enter
	err := t.with(func(conn *pgx.Conn) (err error) {
		results := conn.SendBatch(ctx, &batch)
		defer func() { err = errors.Join(err, results.Close()) }()
		if enter {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		for _, c := range commands {
			if err := c.read(results); err != nil {
				return err
			}
		}
		if leave {
			return committed(results)
		}
		return nil
	})
	if err == nil && last {
		t.open = false
	}
	return err
}

// read takes one command's part of the answers.
func (c command) read(results pgx.BatchResults) error {
	if c.scan == nil {
		tag, err := results.Exec()
		if err == nil && c.changed != nil {
			*c.changed = tag.RowsAffected()
		}
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := c.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

var errNotCommitted = errors.New("the transaction was rolled back instead of committed")

// committed reads the answer to a COMMIT, which is ROLLBACK and no error where the
// transaction had failed.
func committed(results pgx.BatchResults) error {
	tag, err := results.Exec()
	if err == nil && tag.String() != "COMMIT" {
		err = errNotCommitted
	}
	return err
}

func (t *postgresTx) commit(ctx context.Context) error {
	if !t.open {
		return nil
	}
	t.open = false
	return t.with(func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, "commit")
		if err == nil && tag.String() != "COMMIT" {
			err = errNotCommitted
		}
		return err
	})
}

func (t *postgresTx) rollback() error {
	if !t.open {
		return nil
	}
	t.open = false
	ctx, cancel := context.WithTimeout(context.Background(), rollbackLimit)
	defer cancel()
	return t.with(func(conn *pgx.Conn) error {
		if conn.IsClosed() {
			return nil
		}
		_, err := conn.Exec(ctx, "rollback")
		return err
	})
}

// with lends the driver's own connection, which is the only one that can send
// several statements at once.
func (t *postgresTx) with(do func(*pgx.Conn) error) error {
	return t.conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of %T where pgx was expected", driver)
		}
		return do(c.Conn())
	})
}
