package tap_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/test/tap"
)

const notes = "CREATE TEMPORARY TABLE notes (n INT PRIMARY KEY)"

func database(t *testing.T) (*tap.Proxy, *pgx.Conn) {
	t.Helper()
	p, raw := through(t, "POSTRIDER_TEST_DATABASE_URL", tap.Postgres)
	return p, connect(t, raw)
}

func connect(t *testing.T, raw string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(soon(t), raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

func run(t *testing.T, c *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := c.Exec(soon(t), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresStepsCarryTheirStatements(t *testing.T) {
	p, c := database(t)
	run(t, c, notes)
	events := make(chan tap.Event, 100)
	for _, r := range []tap.Rule{
		{From: tap.Client, At: "Query"}, {From: tap.Client, At: "Parse"}, {From: tap.Client, At: "Bind"}, {From: tap.Client, At: "Execute"},
		{From: tap.Server, At: "CommandComplete"}, {From: tap.Server, At: "ErrorResponse"}, {From: tap.Server, At: "ReadyForQuery"},
	} {
		r.Do = note(events)
		p.Arm(r)
	}
	want := func(step, text string) {
		t.Helper()
		if e := event(t, events); e.Step != step || !strings.HasPrefix(e.Text, text) {
			t.Errorf("%s %q, want %s %q", e.Step, e.Text, step, text)
		}
	}
	const insert = "INSERT INTO notes VALUES ($1)"
	for n := range 2 { // the second time it is prepared
		run(t, c, insert, n)
		if n == 0 {
			want("Parse", insert)
			want("ReadyForQuery", "I")
		}
		want("Bind", insert+" "+strconv.Itoa(n))
		want("Execute", insert+" "+strconv.Itoa(n))
		want("CommandComplete", "INSERT 0 1 "+insert)
		want("ReadyForQuery", "I")
	}
	if _, err := c.Exec(soon(t), insert, 1); err == nil {
		t.Error("a note twice")
	}
	want("Bind", insert)
	want("Execute", insert)
	want("ErrorResponse", "23505 ")
	want("ReadyForQuery", "I")
	id := uuid.NewString()
	run(t, c, "SELECT $1::uuid, $2::bigint, $3::text", id, 7, "words")
	want("ReadyForQuery", "I") // the client first closes the statement it had prepared
	want("Parse", "SELECT $1")
	want("ReadyForQuery", "I")
	want("Bind", "SELECT $1::uuid, $2::bigint, $3::text "+id+" 7 words")
	want("Execute", "SELECT $1")
	want("CommandComplete", "SELECT 1")
	want("ReadyForQuery", "I")
	run(t, c, "SELECT 1; SELECT 2")
	want("Query", "SELECT 1; SELECT 2")
	want("CommandComplete", "SELECT 1 SELECT 1; SELECT 2")
	want("CommandComplete", "SELECT 1 ")
	want("ReadyForQuery", "I")
}

func TestARuleFindsTheCommitOfATransactionByItsStatements(t *testing.T) {
	p, c := database(t)
	run(t, c, notes)
	commits := p.Arm(tap.Rule{From: tap.Client, At: "Query", Match: "commit", Within: "INSERT INTO notes"})
	answers := p.Arm(tap.Rule{From: tap.Server, At: "CommandComplete", Match: "COMMIT", Within: "INSERT INTO notes"})
	for n := range 4 {
		tx, err := c.Begin(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		statement := "INSERT INTO notes VALUES ($1)"
		if n%2 == 1 {
			statement = "DELETE FROM notes WHERE n=$1"
		}
		if _, err := tx.Exec(soon(t), statement, n); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	if commits.Fired() != 2 || answers.Fired() != 2 {
		t.Errorf("2 commits of inserts: %d seen, %d answers", commits.Fired(), answers.Fired())
	}
}

func TestADroppedCommitRollsBackAndADroppedAnswerDoesNot(t *testing.T) {
	direct := connect(t, service(t, "POSTRIDER_TEST_DATABASE_URL").String())
	table := "tap_" + strings.ReplaceAll(uuid.NewString()[:13], "-", "_")
	run(t, direct, "CREATE TABLE "+table+" (n INT PRIMARY KEY)")
	defer func() { run(t, direct, "DROP TABLE "+table) }()
	for n, c := range []struct {
		rule tap.Rule
		kept int
	}{
		{tap.Rule{From: tap.Client, At: "Query", Match: "commit", End: tap.Drop}, 0},
		{tap.Rule{From: tap.Server, At: "CommandComplete", Match: "COMMIT", End: tap.Drop}, 1},
		{tap.Rule{From: tap.Client, At: "Query", Match: "commit", Done: tap.Event.Cut}, 1},
	} {
		p, conn := database(t)
		p.Arm(c.rule)
		run(t, conn, "begin")
		run(t, conn, "INSERT INTO "+table+" VALUES ($1)", n)
		var pid, kept int
		if err := conn.QueryRow(soon(t), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(soon(t), "commit"); err == nil {
			t.Errorf("%+v: the commit was answered", c.rule)
		}
		await(t, direct, "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid=$1)", pid)
		if err := direct.QueryRow(soon(t), "SELECT count(*) FROM "+table+" WHERE n=$1", n).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		if kept != c.kept {
			t.Errorf("%+v: %d rows, want %d", c.rule, kept, c.kept)
		}
	}
}

func await(t *testing.T, c *pgx.Conn, query string, args ...any) {
	t.Helper()
	ctx := soon(t)
	for met := false; !met; {
		if err := c.QueryRow(ctx, query, args...).Scan(&met); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

func TestRefusedClientsAreWellAgainLater(t *testing.T) {
	p, c := database(t)
	p.Refuse(true)
	if _, err := c.Exec(soon(t), "SELECT 1"); err == nil {
		t.Error("a statement passed")
	}
	raw, err := p.Through(service(t, "POSTRIDER_TEST_DATABASE_URL").String())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := pgx.Connect(soon(t), raw); err == nil {
		_ = c.Close(soon(t))
		t.Error("a connection passed")
	}
	p.Refuse(false)
	run(t, connect(t, raw), "SELECT 1")
}
