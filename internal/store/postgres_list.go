package store

import (
	"reflect"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// postgresList gives a list as one array for each column: a statement has few
// arguments then, however long the list, and stays the same.
//
// The arrays are taken apart in the SELECT list, which hands on element by element.
// As functions in FROM each would first be gathered in a store of its own, of 16 kB
// and more, for every statement that is run.
func postgresList(l list, rows [][]any) (table string, args []any) {
	var names, arrays strings.Builder
	args = append(args, l.fixed...)
	for i, c := range l.columns {
		comma := ","[:min(i, 1)]
		names.WriteString(comma + c.name)
		arrays.WriteString(comma + "unnest(" + ordinal(len(args)+1) +
			[...]string{kindUUID: "::uuid[]", kindInt: "::bigint[]", kindText: "::text[]", kindBytes: "::bytea[]"}[c.kind] + ")")
		args = append(args, arrayOf(c.kind, rows, i))
	}
	return "WITH v(" + names.String() + ") AS (SELECT " + arrays.String() + ") ", args
}

// arrayOf is a column of the rows.
func arrayOf(k kind, rows [][]any, column int) any {
	switch k {
	case kindUUID:
		return arrayBy(rows, column, func(v any) pgtype.UUID { return pgtype.UUID{Bytes: v.(uuid.UUID), Valid: true} })
	case kindInt:
		return arrayBy(rows, column, func(v any) pgtype.Int8 { return pgtype.Int8{Int64: integer(v), Valid: true} })
	case kindText:
		return arrayBy(rows, column, func(v any) pgtype.Text { return pgtype.Text{String: text(v), Valid: true} })
	default:
		return arrayBy(rows, column, func(v any) []byte { return v.([]byte) })
	}
}

// arrayBy converts a column; the zero value of the type is NULL.
func arrayBy[T any](rows [][]any, column int, convert func(any) T) pgtype.FlatArray[T] {
	values := make(pgtype.FlatArray[T], len(rows))
	for i, row := range rows {
		if row[column] != nil {
			values[i] = convert(row[column])
		}
	}
	return values
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int16:
		return int64(n)
	case int:
		return int64(n)
	default:
		return reflect.ValueOf(v).Int()
	}
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return reflect.ValueOf(v).String() // lanes, states and the like are strings of their own type
}
