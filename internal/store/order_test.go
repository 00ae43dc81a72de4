package store_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

// TestRowsAreLockedInOneOrder has each step of several deliveries wait for the
// first of them in the order of keys, named last, and looks whether it has locked
// any of the others meanwhile: then two such steps could wait for each other.
func TestRowsAreLockedInOneOrder(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	clock := conformance.NewClock()
	s := open(t, url, message.Process{ID: uuid.New()}, clock)
	for range 4 {
		post(t, s, mail())
	}
	clock.Advance(time.Minute)
	var refs []message.Ref // descending
	dispatch := func() error {
		_, _, err := s.Dispatch(t.Context(), message.LaneNormal, 4, func(_ context.Context, due []message.Ref) []error {
			slices.SortFunc(due, func(a, b message.Ref) int { return bytes.Compare(b.MessageID[:], a.MessageID[:]) })
			refs = due
			return make([]error, len(due))
		})
		return err
	}
	page, err := s.Emails(t.Context(), message.Filter{TenantID: message.DefaultTenant, Limit: 4})
	if err != nil || len(page.Views) != 4 {
		t.Fatal(len(page.Views), err)
	}
	var keys []message.Key // ascending
	for _, v := range slices.Backward(page.Views) {
		keys = append(keys, message.Key{MessageID: v.Message.ID})
	}
	ordered(t, url, keys, "settle", dispatch)
	held := make([]message.Held, 0, len(keys))
	ordered(t, url, keys, "claim", func() error {
		bids := make([]message.Bid, len(refs))
		for i, ref := range refs {
			bids[i] = message.Bid{Ref: ref}
		}
		claims, err := s.Claim(t.Context(), bids)
		for _, c := range claims {
			held = append(held, c.Work.Held)
		}
		return err
	})
	ordered(t, url, keys, "mark", func() error { _, err := s.Mark(t.Context(), held); return err })
	outcomes := func(kinds ...message.OutcomeKind) []message.Outcome {
		all := make([]message.Outcome, len(held))
		for i, h := range held {
			all[i] = message.Outcome{Held: h, Kind: kinds[i%len(kinds)], After: time.Hour}
		}
		return all
	}
	ordered(t, url, keys, "record several kinds", func() error {
		return errors.Join(s.Record(t.Context(), outcomes(message.OutcomeReleased, message.OutcomeRetry))...)
	})
	ordered(t, url, keys, "record one kind", func() error {
		return errors.Join(s.Record(t.Context(), outcomes(message.OutcomeSent))...)
	})
}

// ordered runs a step of all keys, which ascend, while the first is locked.
func ordered(t *testing.T, url string, keys []message.Key, name string, step func() error) {
	t.Helper()
	db, tx := besides(t, url)
	var holder int
	err := tx.QueryRowContext(t.Context(), `SELECT pg_backend_pid() FROM deliveries WHERE message_id=$1 FOR UPDATE`,
		keys[0].MessageID).Scan(&holder)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- step() }()
	awaitBlocked(t, db, holder)
	for _, key := range keys[1:] {
		var n int
		err := db.QueryRowContext(t.Context(), `SELECT n FROM deliveries WHERE message_id=$1 FOR UPDATE SKIP LOCKED`,
			key.MessageID).Scan(&n)
		if err != nil {
			t.Errorf("%s: locks a later row before the first: %v", name, err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
