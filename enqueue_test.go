package postrider_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// installed makes a database with Postrider's tables and returns its URL.
func installed(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTRIDER_TEST_DATABASE_URL")
	if server == "" {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL is not set: run 'make services' and then '. .services/env'")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL is not a URL")
	}
	u.Path = "/test_" + uuid.NewString()[:8]
	name := strings.TrimPrefix(u.Path, "/")
	administer(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	s, err := store.Open(t.Context(), store.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return u.String()
}

func administer(t *testing.T, url, statement string) {
	t.Helper()
	conn := connect(t, url)
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
	_ = conn.Close(context.Background())
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

var letter = postrider.Email{From: "a@example.com", To: []string{"b@example.com"}, Subject: "s", Text: "t"}

func TestEnqueueInEveryModeOfTheDriver(t *testing.T) {
	database := installed(t)
	for name, mode := range map[string]pgx.QueryExecMode{
		"cached statement": pgx.QueryExecModeCacheStatement, "described": pgx.QueryExecModeCacheDescribe, "exec": pgx.QueryExecModeExec,
		"simple protocol": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			config, err := pgxpool.ParseConfig(database)
			if err != nil {
				t.Fatal(err)
			}
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			e := letter
			e.Subject = `"\ ' ü $1 🐦`
			e.Attachments = []postrider.Attachment{{Filename: "a", Content: []byte{0, 255}}}
			id, err := postrider.Enqueue(t.Context(), pool, e)
			if err != nil {
				t.Fatal(err)
			}
			var subject, content string
			err = pool.QueryRow(t.Context(), `SELECT email::jsonb->>'subject', email::jsonb->'attachments'->0->>'content' FROM intake WHERE id::text=$1`, id).
				Scan(&subject, &content)
			if err != nil || subject != e.Subject || content != "AP8=" {
				t.Errorf("%q, %q, %v", subject, content, err)
			}
		})
	}
}

func TestWhyAnEmailIsNotEnqueued(t *testing.T) {
	database := installed(t)
	conn := connect(t, database)
	defer func() { _ = conn.Close(context.Background()) }()
	keyed, other, nul := letter, letter, letter
	keyed.IdempotencyKey, other.IdempotencyKey, other.Text, nul.Text = "k", "k", "another", "\x00"
	first, err := postrider.Enqueue(t.Context(), conn, keyed)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := postrider.Enqueue(t.Context(), conn, keyed); again != first || err != nil {
		t.Errorf("the same again: %s, %v, want %s", again, err, first)
	}
	for name, c := range map[string]struct {
		how  postrider.Enqueuer
		what postrider.Email
		want error
	}{
		"no recipient":     {postrider.Enqueuer{}, postrider.Email{From: "a@example.com", Text: "t"}, postrider.ErrInvalid},
		"NUL":              {postrider.Enqueuer{}, nul, postrider.ErrInvalid},
		"a key used":       {postrider.Enqueuer{}, other, postrider.ErrKeyUsed},
		"no such tenant":   {postrider.Enqueuer{Tenant: "nobody"}, letter, postrider.ErrNoTenant},
		"another schema":   {postrider.Enqueuer{Schema: "public"}, letter, postrider.ErrNotInstalled},
		"no such schema":   {postrider.Enqueuer{Schema: `no"where`}, letter, postrider.ErrNotInstalled},
		"the usual tenant": {postrider.Enqueuer{Tenant: "default", Schema: "postrider"}, letter, nil},
	} {
		if _, err := c.how.Enqueue(t.Context(), conn, c.what); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := conn.Exec(t.Context(), `SET ROLE postrider_enqueue`); err != nil {
		t.Fatal(err)
	}
	if _, err := postrider.Enqueue(t.Context(), conn, letter); err != nil {
		t.Errorf("with the role: %v", err)
	}
	if _, err := (postrider.Enqueuer{Tenant: "default"}).Enqueue(t.Context(), conn, letter); !errors.Is(err, postrider.ErrNotAllowed) {
		t.Errorf("with the role, for a tenant by name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := postrider.Enqueue(ctx, conn, letter); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}
