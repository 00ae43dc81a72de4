package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	conformance.Store(t, func(_ *testing.T, m message.Marking) conformance.StoreFixture {
		var db *memory.Database
		return conformance.StoreFixture{Shared: true, Open: func(t *testing.T, p message.Process, c *conformance.Clock) conformance.StorePorts {
			if db == nil {
				db = memory.New(memory.Config{Now: c.Now, Lease: conformance.StoreLease, Marking: m})
			}
			return db.Open(p)
		}}
	})
}
