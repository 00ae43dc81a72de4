package store_test

import (
	"path/filepath"
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
