package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// BenchmarkMail takes mails from acceptance to sent, in groups of a size; one
// operation is one mail. The database is the fixture's own.
func BenchmarkMail(b *testing.B) {
	urls := map[string]string{"sqlite": storetest.SQLite(b)}
	if server := os.Getenv("POSTRIDER_TEST_DATABASE_URL"); server != "" {
		urls["postgres"] = storetest.Postgres(b)
	}
	for engine, url := range urls {
		s, err := store.Open(b.Context(), store.Config{URL: url, Worker: message.Process{ID: uuid.New()}})
		if err != nil {
			b.Fatal(err)
		}
		for _, group := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/group=%d", engine, group), func(b *testing.B) {
				for sent := 0; sent < b.N; sent += group {
					if err := sendGroup(b.Context(), s, group); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}
}

func sendGroup(ctx context.Context, s *store.Store, n int) error {
	list := make([]message.Submission, n)
	for i := range list {
		list[i] = mail()
	}
	for _, a := range s.Accept(ctx, list) {
		if a.Err != nil {
			return a.Err
		}
	}
	var bids []message.Bid
	_, _, err := s.Dispatch(ctx, message.LaneNormal, 128, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			bids = append(bids, message.Bid{Ref: ref})
		}
		return make([]error, len(refs))
	})
	if err != nil {
		return err
	}
	claims, err := s.Claim(ctx, bids)
	if err != nil {
		return err
	}
	var held []message.Held
	var outcomes []message.Outcome
	for _, c := range claims {
		held = append(held, c.Work.Held)
		outcomes = append(outcomes, message.Outcome{Held: c.Work.Held, Kind: message.OutcomeSent})
	}
	if _, err := s.Mark(ctx, held); err != nil {
		return err
	}
	return errors.Join(s.Record(ctx, outcomes)...)
}

// BenchmarkTakeIn takes in what callers enqueued; one operation is one email.
func BenchmarkTakeIn(b *testing.B) {
	if os.Getenv("POSTRIDER_TEST_DATABASE_URL") == "" {
		return
	}
	url := storetest.Postgres(b)
	s, err := store.Open(b.Context(), store.Config{URL: url, Worker: message.Process{ID: uuid.New()}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(b.Context(), `SELECT enqueue_email($1::jsonb) FROM generate_series(1, $2)`, letter, b.N); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for taken := 0; taken < b.N; {
		look, err := s.TakeIn(b.Context(), uuid.Nil, 128, reads)
		if err != nil || len(look.Taken) == 0 {
			b.Fatal(taken, err)
		}
		taken += len(look.Taken)
	}
}
