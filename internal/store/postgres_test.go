package store_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"testing"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
)

func TestPostgres(t *testing.T) { conformance.Store(t, onPostgres) }

func TestPostgresFiles(t *testing.T) { conformance.Files(t, onPostgres) }

func onPostgres(t *testing.T, m message.Marking) conformance.StoreFixture {
	url := schema(t)
	return conformance.StoreFixture{Shared: true, Open: func(t *testing.T, p message.Process, c *conformance.Clock) conformance.StorePorts {
		return openMarking(t, m, url, p, c)
	}}
}

// schema makes a schema for one test and returns a URL that leads to it.
func schema(t testing.TB) string {
	t.Helper()
	server := os.Getenv("POSTRIDER_TEST_DATABASE_URL")
	if server == "" {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL is not set: run 'make services' and then '. .services/env'")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + uuid.NewString()[:8]
	if _, err := db.ExecContext(t.Context(), `CREATE SCHEMA "`+name+`"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), `DROP SCHEMA "`+name+`" CASCADE`); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL is not a URL")
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}
