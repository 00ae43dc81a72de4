package store_test

import (
	"database/sql"
	"testing"

	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// TestAListTakesLittleOfTheServersMemory: what a list adds to a statement is given back
// and asked for again with every run.
func TestAListTakesLittleOfTheServersMemory(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	taken := func(columns int) (bytes int64) {
		table, args := store.ListOfNumbers(columns)
		query := table + `SELECT (SELECT SUM(total_bytes) FROM pg_backend_memory_contexts)::bigint FROM v`
		if err := db.QueryRowContext(t.Context(), query, args...).Scan(&bytes); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	taken(1) // a session's first query fills its caches
	if more := taken(11) - taken(1); more > 80_000 {
		t.Errorf("ten columns more take %d bytes of the server's memory", more)
	}
}
