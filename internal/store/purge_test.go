package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

const kept = 48 * time.Hour

// sentMail is a mail to as many recipients, of whom the first have it.
func sentMail(t *testing.T, s *store.Store, clock *conformance.Clock, recipients, sent int, files ...message.Attachment) uuid.UUID {
	t.Helper()
	sub := mail()
	for n := 1; n < recipients; n++ {
		sub.Message.Head.To = append(sub.Message.Head.To, message.Address{Email: fmt.Sprintf("a%d@example.com", n)})
	}
	sub.Message.Attachments = files
	post(t, s, sub)
	clock.Advance(time.Second)
	if _, _, err := s.Dispatch(t.Context(), message.LaneNormal, 128, func(_ context.Context, refs []message.Ref) []error {
		return make([]error, len(refs))
	}); err != nil {
		t.Fatal(err)
	}
	for n := range sent {
		bids := []message.Bid{{Ref: message.Ref{Key: message.Key{MessageID: sub.Message.ID, N: int16(n)}, Dispatch: 1}}}
		send(t, s, bids)
	}
	return sub.Message.ID
}

// rowsOf counts what the database has of a message.
func rowsOf(t *testing.T, url string, id uuid.UUID) (total int) {
	t.Helper()
	for _, table := range []string{"deliveries", "attempts", "attachments", "outbox"} {
		total += count(t, url, table+` WHERE message_id=$1`, id)
	}
	return total
}

// count counts rows, of a table or of such as meet a condition.
func count(t *testing.T, url, from string, args ...any) (n int) {
	t.Helper()
	driver, dsn := "pgx", url
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, dsn = "sqlite", file
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+from, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func purge(t *testing.T, s *store.Store, limit int) (total int) {
	t.Helper()
	for after := uuid.Nil; ; {
		p, err := s.Purge(t.Context(), after, kept, limit)
		if err != nil {
			t.Fatal(err)
		}
		if total += p.Messages; p.Last == uuid.Nil {
			return total
		}
		after = p.Last
	}
}

func TestPurgeDeletesWhatIsOverForAsLongAndNothingElse(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		clock := conformance.NewClock()
		s := open(t, url, message.Process{ID: uuid.New()}, clock)
		for _, limit := range []int{1, 2, 128} {
			blob := message.Blob{ID: message.NewID(), TenantID: 1, Place: store.PlaceParts, Size: 3}
			if err := errors.Join(s.Reserve(t.Context(), []message.Blob{blob}), s.Parts().Put(t.Context(), blob, strings.NewReader("abc"))); err != nil {
				t.Fatal(err)
			}
			old := sentMail(t, s, clock, 2, 2, message.Attachment{Size: 3, Blob: blob}, message.Attachment{Size: 1, Data: []byte("x")})
			half := sentMail(t, s, clock, 2, 1)
			waiting := sentMail(t, s, clock, 1, 0)
			late := sentMail(t, s, clock, 1, 0)
			clock.Advance(kept - time.Minute)
			send(t, s, []message.Bid{{Ref: message.Ref{Key: message.Key{MessageID: late}, Dispatch: 1}}})
			if n := purge(t, s, limit); n != 0 {
				t.Errorf("limit %d: %d messages were deleted before their time", limit, n)
			}
			clock.Advance(2 * time.Minute)
			if n := purge(t, s, limit); n != 1 {
				t.Errorf("limit %d: %d messages were deleted, want 1", limit, n)
			}
			if _, err := s.Email(t.Context(), message.DefaultTenant, old); !errors.Is(err, message.ErrNotFound) || rowsOf(t, url, old) != 0 {
				t.Errorf("limit %d: error %v, %d rows are left", limit, err, rowsOf(t, url, old))
			}
			for _, id := range []uuid.UUID{half, waiting, late} {
				if _, err := s.Email(t.Context(), message.DefaultTenant, id); err != nil {
					t.Errorf("limit %d: a message that is not over: %v", limit, err)
				}
			}
			k := blobs.New(blobs.Config{Ledger: s, Places: map[string]blobs.Place{store.PlaceParts: s.Parts()}})
			if n, err := k.Sweep(t.Context()); n != 1 || err != nil {
				t.Errorf("limit %d: %d blobs followed, %v", limit, n, err)
			}
			if _, err := s.Parts().Open(t.Context(), blob); err == nil {
				t.Errorf("limit %d: the bytes of a deleted message are there", limit)
			}
			clock.Advance(kept)
			send(t, s, []message.Bid{{Ref: message.Ref{Key: message.Key{MessageID: half, N: 1}, Dispatch: 1}},
				{Ref: message.Ref{Key: message.Key{MessageID: waiting}, Dispatch: 1}}})
			clock.Advance(kept + time.Minute)
			if n := purge(t, s, limit); n != 3 {
				t.Errorf("limit %d: %d messages were deleted in the end, want 3", limit, n)
			}
		}
	})
}

// TestPurgeLeavesWhatIsJustSentAgain is an operator who retries a failed mail while a
// purge that has found it over waits for his transaction.
func TestPurgeLeavesWhatIsJustSentAgain(t *testing.T) {
	t.Parallel()
	clock := conformance.NewClock()
	url := storetest.Postgres(t)
	s := open(t, url, message.Process{ID: uuid.New()}, clock)
	id := sentMail(t, s, clock, 1, 1)
	clock.Advance(kept + time.Minute)
	db, tx := besides(t, url)
	var holder int
	if err := tx.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&holder); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE deliveries SET status='queued', finished_at=NULL, dispatch=2 WHERE message_id=$1`, id); err != nil {
		t.Fatal(err)
	}
	purged := make(chan message.Purged, 1)
	go func() {
		p, err := s.Purge(context.WithoutCancel(t.Context()), uuid.Nil, kept, 128)
		if err != nil {
			t.Error(err)
		}
		purged <- p
	}()
	awaitBlocked(t, db, holder)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if p := <-purged; p.Messages != 0 {
		t.Errorf("%d messages were deleted", p.Messages)
	}
	if _, err := s.Email(t.Context(), message.DefaultTenant, id); err != nil {
		t.Error(err)
	}
}

func TestDeadLettersAndProcessesAreForgottenWithTime(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		clock := conformance.NewClock()
		s := open(t, url, message.Process{ID: uuid.New()}, clock)
		gone := message.Process{ID: uuid.New(), Program: "consumer", State: "stopped"}
		lives := message.Process{ID: uuid.New(), Program: "consumer", State: "running"}
		forget := func(when string, want int) {
			t.Helper()
			if n, err := s.ForgetOld(t.Context(), kept, 2); n != want || err != nil {
				t.Errorf("%s: %d rows were deleted (%v), want %d", when, n, err, want)
			}
		}
		letters := []message.DeadLetter{{Queue: "q", Reason: "1"}, {Queue: "q", Reason: "2"}, {Queue: "q", Reason: "3"}}
		if err := errors.Join(s.Heartbeat(t.Context(), gone), s.Heartbeat(t.Context(), lives), s.Bury(t.Context(), letters)); err != nil {
			t.Fatal(err)
		}
		clock.Advance(kept - time.Minute)
		forget("before their time", 0)
		if err := errors.Join(s.Heartbeat(t.Context(), lives), s.Bury(t.Context(), letters[:1])); err != nil {
			t.Fatal(err)
		}
		clock.Advance(2 * time.Minute)
		forget("two letters at the most, and a process", 3)
		forget("the third letter", 1)
		forget("at last", 0)
		if l, p := count(t, url, "dead_letters"), count(t, url, "workers WHERE id=$1", lives.ID); l != 1 || p != 1 {
			t.Errorf("%d letters and %d processes are left, want the late letter and the process that lives", l, p)
		}
	})
}
