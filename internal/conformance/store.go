package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

// StorePorts is everything the programs ask of a store, gathered for the suite.
type StorePorts interface {
	accept.Store
	accept.BatchStore
	relay.Store
	worker.Store
	worker.DeadLetters
	sweep.Store

	Email(ctx context.Context, tenant int64, id uuid.UUID) (message.View, error)
	Emails(ctx context.Context, filter message.Filter) (message.Page, error)
	Message(ctx context.Context, tenant int64, id uuid.UUID) (*message.Message, error)
	Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
	Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
	Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error)

	EnsureTenants(ctx context.Context, names []string) (map[string]int64, error)
	Heartbeat(ctx context.Context, p message.Process) error
	Backlog(ctx context.Context) ([]message.Backlog, error)
	RepairAll(ctx context.Context, soleOwner bool) (int, error)
	Ping(ctx context.Context) error
	Close() error
}

// StoreLease is the lease every store of the suite is opened with.
const StoreLease = 20 * time.Second

// StoreFixture opens stores on one fresh, migrated database.
type StoreFixture struct {
	// Open returns a store for the process, closed with the test. It is called
	// more than once only with the trait Shared.
	Open func(t *testing.T, process message.Process, clock *Clock) StorePorts
	// Shared: several processes may use the database at once.
	Shared bool

	marking message.Marking
}

// Store holds a store to the protocol, under each marking. Every case gets a
// fixture of its own.
func Store(t *testing.T, fixture func(t *testing.T, m message.Marking) StoreFixture) {
	for _, m := range []message.Marking{message.MarkAlways, message.MarkHold} {
		t.Run("mark "+string(m), func(t *testing.T) {
			for _, c := range storeCases() {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					f := fixture(t, m)
					f.marking = m
					c.run(newStoreBench(t, f))
				})
			}
		})
	}
}

type storeCase struct {
	name string
	run  func(*storeBench)
}

func storeCases() []storeCase {
	var all []storeCase
	for _, cases := range [][]storeCase{
		acceptCases(), batchCases(), relayCases(), claimCases(), markCases(), recordCases(), sweepCases(), steerCases(), readCases(), searchCases(), modelCases(), crowdCases(),
	} {
		all = append(all, cases...)
	}
	return all
}
