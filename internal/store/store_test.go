package store_test

import (
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a store on tables that are there; it is closed with the test.
func open(t *testing.T, url string, process message.Process, clock *conformance.Clock) *store.Store {
	t.Helper()
	return openMarking(t, message.MarkAlways, url, process, clock)
}

func openMarking(t *testing.T, m message.Marking, url string, process message.Process, clock *conformance.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{
		URL: url, Worker: process, Lease: conformance.StoreLease, Marking: m, MaxConns: 8, ClockOffset: clock.Offset,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// mail is a message to one recipient.
func mail() message.Submission {
	return message.Submission{Message: &message.Message{
		ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Kind: message.ChannelEmail, Lane: message.LaneNormal,
		Head: message.Head{To: []message.Address{{Email: "a@example.com"}}},
	}}
}

func post(t *testing.T, s *store.Store, list ...message.Submission) {
	t.Helper()
	for _, a := range s.Accept(t.Context(), list) {
		if a.Err != nil {
			t.Fatal(a.Err)
		}
	}
}
