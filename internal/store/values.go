package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// column is one column of a list of values. The names begin with v, so that
// statements need not qualify those of the tables.
type column struct {
	name string
	kind kind
}

// list is what a statement works on: the common table expression v, one row
// for each member, and the fixed arguments $1 and following beside it. What
// reads FROM v says CROSS JOIN, which SQLite takes for "v outside": it would
// otherwise walk a whole table for each of the few members.
type list struct {
	columns []column
	fixed   []any
	rows    [][]any
}

// buckets are the lengths lists are filled up to, with rows of NULL that match
// nothing, so that few statements exist and stay prepared.
var buckets = [...]int{1, 8, 32, 128}

const mostRows = 128

func bucket(n int) int {
	for _, b := range buckets {
		if n <= b {
			return b
		}
	}
	return mostRows
}

// with writes the table expression for the given number of rows.
func (d *dialect) with(columns []column, fixed, rows int) string {
	var b strings.Builder
	b.WriteString("WITH ")
	d.leading(&b, fixed)
	b.WriteString("v(")
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c.name)
	}
	b.WriteString(") AS (VALUES ")
	for row := range bucket(rows) {
		if row > 0 {
			b.WriteByte(',')
		}
		for i, c := range columns {
			b.WriteByte("(,"[min(i, 1)])
			fixed++
			d.param(&b, c.kind, fixed)
		}
		b.WriteByte(')')
	}
	b.WriteString(") ")
	return b.String()
}

// leading names the fixed arguments before the members of a list that are
// bound in order: an argument's place is that of its first mention.
func (d *dialect) leading(b *strings.Builder, fixed int) {
	if !d.unnumbered || fixed == 0 {
		return
	}
	for n := range fixed {
		b.WriteString([...]string{"fixed AS (SELECT ", ","}[min(n, 1)])
		b.WriteString(ordinal(n + 1))
	}
	b.WriteString("),")
}

func (l list) args(rows [][]any) []any {
	n := bucket(len(rows))
	args := make([]any, len(l.fixed)+n*len(l.columns))
	copy(args, l.fixed)
	for i, row := range rows {
		copy(args[len(l.fixed)+i*len(l.columns):], row)
	}
	return args
}

// each runs a statement on a list, at most 128 members at a time, and calls
// scan for every row it returns; without scan it returns nothing.
func (t *txn) each(ctx context.Context, l list, statement string, scan func(*sql.Rows) error) error {
	for rows := range slices.Chunk(l.rows, mostRows) {
		query, args := t.with(l.columns, len(l.fixed), len(rows))+statement, l.args(rows)
		var err error
		if scan == nil {
			_, err = t.q.ExecContext(ctx, query, args...)
		} else {
			err = t.rows(ctx, query, args, scan)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var keyColumns = []column{{"vid", kindUUID}, {"vn", kindInt}}

func keyRow(k message.Key) []any { return []any{k.MessageID, k.N} }

func keyRows(keys []message.Key) [][]any {
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = keyRow(k)
	}
	return rows
}

var refColumns = []column{{"vid", kindUUID}, {"vn", kindInt}, {"vdispatch", kindInt}}

func refList(refs []message.Ref) list {
	l := list{columns: refColumns}
	for _, r := range refs {
		l.rows = append(l.rows, []any{r.MessageID, r.N, r.Dispatch})
	}
	return l
}

// lock takes the row locks of several deliveries in one order, the same for
// every statement: an UPDATE alone would take them in the order of its plan, and
// two of those can wait for each other.
func (t *txn) lock(ctx context.Context, keys []message.Key) error {
	if t.lockRows == "" || len(keys) < 2 {
		return nil
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	l := list{columns: keyColumns, rows: keyRows(slices.Compact(keys))}
	return t.each(ctx, l, `SELECT n FROM v CROSS JOIN deliveries WHERE message_id=vid AND n=vn ORDER BY message_id, n`+
		t.lockRows+` OF deliveries`, func(*sql.Rows) error { return nil })
}

func compareKeys(a, b message.Key) int {
	if c := slices.Compare(a.MessageID[:], b.MessageID[:]); c != 0 {
		return c
	}
	return int(a.N) - int(b.N)
}

// keysOf returns the delivery each item is about.
func keysOf[T any](items []T, key func(T) message.Key) []message.Key {
	keys := make([]message.Key, len(items))
	for i, item := range items {
		keys[i] = key(item)
	}
	return keys
}

// nullUUID is the NULL of a uuid column for the zero id.
func nullUUID(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return id
}

func ordinal(n int) string { return "$" + strconv.Itoa(n) }
