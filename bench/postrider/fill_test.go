package postrider_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/postrider"
	"github.com/postrider/postrider/bench/sink"
)

// prepared is a Postrider that accepts, and the sink that it would send to.
func prepared(t *testing.T) (*postrider.System, *sink.Server) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	services, err := rig.Shared()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := rig.Build(t.Context(), root, filepath.Join(t.TempDir(), "bin"), false)
	if err != nil {
		t.Fatal(err)
	}
	to, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := postrider.New(postrider.Config{
		Name: "postrider", Programs: programs, Services: services,
		Where: job.Where{Sink: to.Addr(), Dir: t.TempDir(), Workers: 8},
	})
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = to.Close()
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, to
}

// count is the one number that a query returns.
func count(t *testing.T, s *postrider.System, query string) int {
	t.Helper()
	var n int
	if err := s.Stack().DB().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

const filled = 250

// What is filled in must be as what is accepted, in every table and to the byte;
// otherwise a backlog is of other mails than the rest of a run.
func TestFilledMailsAreAsAcceptedOnes(t *testing.T) {
	s, to := prepared(t)
	if err := s.Fill(t.Context(), 1000, filled, message.LaneNormal); err != nil {
		t.Fatal(err)
	}
	if open, err := s.Open(t.Context()); err != nil || open != filled {
		t.Errorf("%d are open, %v", open, err)
	}
	// The first has an id of the producer's clock, as all that are accepted, and the others
	// of the database's.
	for query, want := range map[string]int{
		`SELECT count(DISTINCT octet_length(content)) FROM messages`:                                                                                         1,
		`SELECT count(DISTINCT octet_length(head)) FROM messages`:                                                                                            1,
		`SELECT count(DISTINCT octet_length(response)) FROM idempotency`:                                                                                     1,
		`SELECT count(DISTINCT head) FROM messages`:                                                                                                          filled,
		`SELECT count(*) FROM messages JOIN deliveries ON message_id = id WHERE head LIKE '%' || address || '%'`:                                             filled,
		`SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY created_at, id) AS before FROM messages WHERE head NOT LIKE '%1000@%') m WHERE before > id`: 0,
	} {
		if got := count(t, s, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if err := s.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := rig.Await(t.Context(), 20*time.Millisecond, "the mails", func() (bool, error) { return to.Arrivals.Summary().Count == filled, nil }); err != nil {
		t.Error(err)
	}
	if sum := to.Arrivals.Summary(); sum.Duplicates > 0 || sum.Strangers > 0 {
		t.Errorf("%+v", sum)
	}
}
