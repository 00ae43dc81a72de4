package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

func TestBlobPlace(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		s := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
		conformance.BlobPlace(t, store.PlaceParts, func(*testing.T) func() blobs.Place {
			return func() blobs.Place { return s.Parts() }
		})
	})
}

func TestBlobLedger(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"postgres": func(t *testing.T) string { return schema(t) },
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "postrider.db") },
	} {
		t.Run(name, func(t *testing.T) {
			conformance.BlobLedger(t, func(t *testing.T, clock *conformance.Clock) (conformance.BlobStore, blobs.Place) {
				s := open(t, url(t), message.Process{ID: uuid.New()}, clock)
				return s, s.Parts()
			})
		})
	}
}

// TestTheBlobsOfDeletedMessagesFollow runs what docs/attachments.md tells people to run.
func TestTheBlobsOfDeletedMessagesFollow(t *testing.T) {
	page, err := os.ReadFile("../../docs/attachments.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```sql\n")
	script, _, _ = strings.Cut(script, "```")
	engines(t, func(t *testing.T, url string) {
		s := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
		kept := func() message.Submission {
			sub := mail()
			b := message.Blob{ID: message.NewID(), TenantID: 1, Place: store.PlaceParts, Size: 3}
			if err := errors.Join(s.Reserve(t.Context(), []message.Blob{b}), s.Parts().Put(t.Context(), b, strings.NewReader("abc"))); err != nil {
				t.Fatal(err)
			}
			sub.Message.Attachments = []message.Attachment{{Size: 3, Blob: b}, {Size: 1, Data: []byte("x")}}
			return sub
		}
		old, young := kept(), kept()
		old.Message.ID = uuid.MustParse("01800000-0000-7000-8000-000000000001")
		post(t, s, old, young)
		driver, dsn := "pgx", url
		if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
			driver, dsn = "sqlite", file
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		for statement := range strings.SplitSeq(script, ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				execute(t, db, statement)
			}
		}
		k := blobs.New(blobs.Config{Ledger: s, Places: map[string]blobs.Place{store.PlaceParts: s.Parts(), store.PlaceRow: s.Parts()}})
		if n, err := k.Sweep(t.Context()); n != 2 || err != nil {
			t.Errorf("%d blobs were deleted, %v", n, err)
		}
		if _, err := s.Parts().Open(t.Context(), old.Message.Attachments[0].Blob); err == nil {
			t.Error("the bytes of a deleted message are there")
		}
		if _, err := s.Attachment(t.Context(), 1, old.Message.ID, 0); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		for n := range 2 {
			if _, err := s.Attachment(t.Context(), 1, young.Message.ID, n); err != nil {
				t.Errorf("attachment %d of the other message: %v", n, err)
			}
		}
		r, err := s.Parts().Open(t.Context(), young.Message.Attachments[0].Blob)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	})
}
