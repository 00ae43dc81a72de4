package store

import (
	"context"
	"slices"
	"strconv"

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

const mostRows = 128

// each runs a statement on a list, at most 128 members at a time, and calls
// scan for every row it returns; without scan it returns nothing.
func (t *txn) each(ctx context.Context, l list, statement string, scan func(row) error) error {
	return t.run(ctx, t.with(l, statement, scan)...)
}

// with are the commands of a statement on a list.
func (d *dialect) with(l list, statement string, scan func(row) error) []command {
	var commands []command
	for rows := range slices.Chunk(l.rows, mostRows) {
		table, args := d.list(l, rows)
		commands = append(commands, command{query: table + statement, args: args, scan: scan})
	}
	return commands
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

// inOrder sorts a list whose members begin with a delivery's key. An UPDATE of it
// locks rows in the order of its plan, which goes through the list, so two
// transactions of one such statement each cannot wait for each other.
func inOrder(l list) list {
	slices.SortStableFunc(l.rows, func(a, b []any) int {
		return compareKeys(keyOf(a), keyOf(b))
	})
	return l
}

func keyOf(row []any) message.Key {
	return message.Key{MessageID: row[0].(uuid.UUID), N: int16(integer(row[1]))}
}

// lock takes the row locks of several deliveries in that order too, for a
// transaction of several statements on different ones.
func (d *dialect) lock(keys []message.Key) []command {
	if d.lockRows == "" || len(keys) < 2 {
		return nil
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	l := list{columns: keyColumns, rows: keyRows(slices.Compact(keys))}
	return d.with(l, `SELECT n FROM v CROSS JOIN deliveries WHERE message_id=vid AND n=vn ORDER BY message_id, n`+
		d.lockRows+` OF deliveries`, func(row) error { return nil })
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

// nullText is the NULL of a text column for "".
func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func ordinal(n int) string { return "$" + strconv.Itoa(n) }
