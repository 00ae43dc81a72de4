package witness_test

import (
	"database/sql"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/migrations"
)

// seed makes the tables with three deliveries and a key in them.
func seed(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, text := range append(schema(t),
		`INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, reason, dispatch, phase, lease_until, next_attempt_at, attempts, interrupted, unknown_outcomes, finished_at) VALUES
			('a', 0, 1, 'email', 'to', 'ann', 'normal', 'resend', 'sending', '', 1, 1, 5000, NULL, 0, 0, 0, NULL),
			('b', 1, 1, 'email', 'to', 'bob', 'normal', 'hold', 'queued', '', 1, 0, NULL, 1125899906842624, 3, 2, 1, NULL),
			('c', 0, 1, 'email', 'to', 'cas', 'normal', 'resend', 'failed', 'rejected', 1, 0, NULL, NULL, 0, 0, 0, 7)`,
		`INSERT INTO idempotency (tenant_id, key, hash, message_id, response, expires_at) VALUES (1, 'k', x'00', 'a', '', 1)`,
	) {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// schema is the upward part of every migration.
func schema(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d migrations, %v", len(names), err)
	}
	others, err := migrations.Others("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range names {
		if slices.Contains(others, name) {
			continue
		}
		text, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		texts = append(texts, up)
	}
	return texts
}
