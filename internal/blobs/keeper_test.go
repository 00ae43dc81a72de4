package blobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/blobdir"
	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a keeper over a real database and a real folder.
type world struct {
	*blobs.Keeper
	store *store.Store
	clock *conformance.Clock
	dir   string
}

func newWorld(t *testing.T, change func(*blobs.Config)) *world {
	t.Helper()
	w := &world{clock: conformance.NewClock(), dir: t.TempDir()}
	var err error
	w.store, err = store.Open(t.Context(), store.Config{URL: storetest.SQLite(t), ClockOffset: w.clock.Offset})
	if err != nil {
		t.Fatal(err)
	}
	d, err := blobdir.Open(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.store.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	c := blobs.Config{Ledger: w.store, Into: "dir", Places: map[string]blobs.Place{"dir": d, store.PlaceParts: w.store.Parts()}}
	if change != nil {
		change(&c)
	}
	w.Keeper = blobs.New(c)
	return w
}

// files is what is in the folder.
func (w *world) files(t *testing.T) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func (w *world) keep(t *testing.T, text string) message.Blob {
	t.Helper()
	b, err := w.Keep(t.Context(), message.DefaultTenant, int64(len(text)), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) sweep(t *testing.T, want int) {
	t.Helper()
	if n, err := w.Sweep(t.Context()); err != nil || n != want {
		t.Errorf("%d blobs were deleted, want %d: %v", n, want, err)
	}
}

// post stores a message that refers to the blob.
func (w *world) post(t *testing.T, b message.Blob, text string) uuid.UUID {
	t.Helper()
	m := &message.Message{
		ID: message.NewID(), TenantID: b.TenantID, Kind: message.ChannelEmail, Lane: message.LaneNormal,
		Head:        message.Head{To: []message.Address{{Email: "a@example.com"}}},
		Attachments: []message.Attachment{{Filename: "a", Size: int64(len(text)), SHA256: sha256.Sum256([]byte(text)), Blob: b}},
	}
	if err := w.store.Accept(t.Context(), []message.Submission{{Message: m}})[0].Err; err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func TestOnlyBlobsThatNoMessageRefersToAreDeleted(t *testing.T) {
	w := newWorld(t, nil)
	kept := w.keep(t, "kept")
	w.keep(t, "lost")
	id := w.post(t, kept, "kept")
	w.sweep(t, 0)
	w.clock.Advance(2 * time.Hour)
	w.sweep(t, 1)
	if n := w.files(t); n != 1 {
		t.Errorf("%d files are left", n)
	}
	_, r, err := blobs.NewReader(w.store, w.Open).OpenAttachment(t.Context(), message.DefaultTenant, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if data, err := io.ReadAll(r); err != nil || string(data) != "kept" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAKeepThatFailsLeavesNothingAfterTheSweep(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.Keep(t.Context(), 1, 100, strings.NewReader("too short")); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	w.clock.Advance(2 * time.Hour)
	w.sweep(t, 1)
	if n := w.files(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// stuck is a place that deletes nothing while it is told so.
type stuck struct {
	blobs.Place
	mu     sync.Mutex
	broken bool
}

func (s *stuck) Delete(ctx context.Context, b message.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("the bucket is away")
	}
	return s.Place.Delete(ctx, b)
}

func TestAPlaceThatIsAwayKeepsNoOtherFromBeingSwept(t *testing.T) {
	place := &stuck{broken: true}
	w := newWorld(t, func(c *blobs.Config) {
		place.Place = c.Places["dir"]
		c.Places["stuck"] = place
	})
	away := blobs.New(blobs.Config{Ledger: w.store, Into: "stuck", Places: map[string]blobs.Place{"stuck": place}})
	for range 3 {
		if _, err := away.Keep(t.Context(), 1, 1, bytes.NewReader([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	w.keep(t, "lost")
	w.clock.Advance(2 * time.Hour)
	if n, err := w.Sweep(t.Context()); n != 1 || err == nil || !strings.Contains(err.Error(), "the bucket is away") {
		t.Errorf("%d deleted, error %v", n, err)
	}
	place.mu.Lock()
	place.broken = false
	place.mu.Unlock()
	w.sweep(t, 0)
	w.clock.Advance(2 * time.Hour)
	w.sweep(t, 3)
}

func TestABlobElsewhereIsNamedWithItsRemedy(t *testing.T) {
	w := newWorld(t, nil)
	b := message.Blob{ID: uuid.New(), TenantID: 1, Place: "s3://old.example.com/mail"}
	_, err := w.Open(t.Context(), b)
	var unread *message.BlobError
	if !errors.As(err, &unread) || !errors.Is(err, blobs.ErrUnknownPlace) || !strings.Contains(err.Error(), "s3://old.example.com/mail") || !strings.Contains(err.Error(), "POSTRIDER_BLOB_ALSO") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsReadIsWhatWasAcceptedOrAnError(t *testing.T) {
	w := newWorld(t, nil)
	for name, other := range map[string]string{"changed": "kepT", "longer": "kept and more", "shorter": "kep"} {
		t.Run(name, func(t *testing.T) {
			id := w.post(t, w.keep(t, "kept"), "kept")
			open := func(context.Context, message.Blob) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(other)), nil
			}
			_, r, err := blobs.NewReader(w.store, open).OpenAttachment(t.Context(), message.DefaultTenant, id, 0)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := io.ReadAll(r); err == nil {
				t.Errorf("%q was read without an error", data)
			}
		})
	}
	_, _, err := blobs.NewReader(w.store, w.Open).OpenAttachment(t.Context(), message.DefaultTenant, message.NewID(), 0)
	if !errors.Is(err, message.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// told is a ledger that tells when blobs were forgotten.
type told struct {
	blobs.Ledger
	forgot chan int
}

func (l told) Forget(ctx context.Context, gone []message.Blob) error {
	err := l.Ledger.Forget(ctx, gone)
	l.forgot <- len(gone)
	return err
}

func TestStartSweepsAndStopEnds(t *testing.T) {
	forgot := make(chan int, 1)
	w := newWorld(t, func(c *blobs.Config) { c.Ledger = told{c.Ledger, forgot} })
	w.keep(t, "lost")
	w.clock.Advance(2 * time.Hour)
	w.Start()
	if n := <-forgot; n != 1 || w.files(t) != 0 {
		t.Errorf("%d blobs were forgotten, %d files are left", n, w.files(t))
	}
	for range 2 {
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
