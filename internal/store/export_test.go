package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/postrider/postrider/internal/message"
)

// Hold locks a delivery as a step does and runs while before it gives it free.
func (s *Store) Hold(ctx context.Context, key message.Key, while func()) error {
	return s.once(ctx, s.writer, false, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `SELECT 1 FROM deliveries WHERE message_id=$1 AND n=$2 FOR UPDATE`, key.MessageID, key.N)
		if err == nil {
			while()
		}
		return err
	})
}

// LookAtMost bounds the messages that a search looks at in one call.
func (s *Store) LookAtMost(n int) { s.lookMost = n }

// Migrating is a handle on which migrations are made, and what ends its use.
func Migrating(ctx context.Context, url string) (*sql.DB, func() error, error) {
	s, err := Open(ctx, Config{URL: url})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = s.Close() }()
	return s.migrating()
}

// Before has do done once, before the first statement of a transaction that begins so.
func (s *Store) Before(statement string, do func()) {
	begin := s.begin
	var once sync.Once
	s.begin = func(ctx context.Context, conn *sql.Conn, readOnly bool) (transaction, error) {
		tx, err := begin(ctx, conn, readOnly)
		return before{tx, func(commands []command) {
			if slices.ContainsFunc(commands, func(c command) bool { return strings.HasPrefix(c.query, statement) }) {
				once.Do(do)
			}
		}}, err
	}
}

type before struct {
	transaction
	look func([]command)
}

func (b before) run(ctx context.Context, commands []command, last bool) error {
	b.look(commands)
	return b.transaction.run(ctx, commands, last)
}

// OnOneSession runs do with a way to ask for single rows that stays on one session.
func (s *Store) OnOneSession(ctx context.Context, do func(ask func(query string, into ...any) error) error) error {
	return s.once(ctx, s.reader, true, func(ctx context.Context, t *txn) error {
		return do(func(query string, into ...any) error { return t.row(ctx, query, nil, into...) })
	})
}

// ListOfNumbers is how Postgres is given a list of so many columns.
func ListOfNumbers(columns int) (table string, args []any) {
	l := list{}
	row := make([]any, columns)
	for i := range row {
		l.columns = append(l.columns, column{"v" + strconv.Itoa(i), kindInt})
		row[i] = 1
	}
	return postgresList(l, [][]any{row})
}
