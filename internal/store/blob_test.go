package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
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
	for name, url := range map[string]func(testing.TB) string{"postgres": storetest.Postgres, "sqlite": storetest.SQLite} {
		t.Run(name, func(t *testing.T) {
			conformance.BlobLedger(t, func(t *testing.T, clock *conformance.Clock) (conformance.BlobStore, blobs.Place) {
				s := open(t, url(t), message.Process{ID: uuid.New()}, clock)
				return s, s.Parts()
			})
		})
	}
}
