package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a migrated store that is closed with the test.
func open(t *testing.T, url string, process message.Process, clock *conformance.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{
		URL: url, Worker: process, Lease: conformance.StoreLease, MaxConns: 8, ClockOffset: clock.Offset,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
