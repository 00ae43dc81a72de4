package simulate

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

// Store is everything the programs of a simulation ask of a store.
type Store interface {
	accept.Store
	relay.Store
	worker.Store
	worker.DeadLetters
	sweep.Store

	Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
	Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
	Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error)
	RepairAll(ctx context.Context, soleOwner bool) (int, error)
}

// Database is what the processes of a simulation share. It is empty at the
// start. Open and Crash may be called at any time, one after the other.
type Database interface {
	// Open returns the store of a new process. Place is where the process runs:
	// at most one is alive in each, from 0 up.
	Open(place int) Store
	// Crash is the sudden death of a process: its transactions are rolled back.
	Crash(Store)
	// Restart ends every transaction in hand, and begins another epoch.
	Restart()
	// Rows reads the state of the given messages' deliveries.
	Rows(ids []uuid.UUID, into *Rows) error
}

// Rows is what the tables hold at one moment.
type Rows struct {
	Deliveries []message.Delivery
	Outbox     []message.Ref
	OutboxRows int64 // how many there are
	AllOutbox  bool  // Outbox names all of them; else it is empty
}

// Queue is both ends of a broker.
type Queue interface {
	relay.Queue
	worker.Queue
}

// Config says what to simulate.
type Config struct {
	Seed uint64
	// Wait is synctest.Wait. It is handed in because testing, linked into a
	// program, would register its flags there.
	Wait func()
	// Database makes the database. Its clock is what it must take for the time,
	// elapsed a time that knows no steps, and m how claims are marked.
	Database func(clock func() time.Time, elapsed func() time.Duration, m message.Marking) Database
	// Marking is how claims are marked; by default the seed decides.
	Marking message.Marking
	// Alone: the store lets one transaction write at a time, so that a relay's
	// must not be left open between two decisions.
	Alone bool
	// Slack is how far the database's clock may be ahead of the one it was given:
	// a real one goes on while it works.
	Slack time.Duration
	// CheckEvery is after how many steps the invariants that need a look at all
	// rows are checked; 8 by default.
	CheckEvery int
	// Trace asks for every step in words; without it only their hash is kept.
	Trace bool
	// Mutant removes a guard; its zero value removes none.
	Mutant Mutant
}

// Result is what a simulation came to. The same Config gives the same Result.
type Result struct {
	Seed       uint64
	Marking    message.Marking
	Hash       uint64 // of every step, in order
	Steps      int
	Faults     Counts
	Messages   int
	Deliveries int
	Copies     int    // mails in the sink
	Duplicates int    // copies beyond the first of each delivery
	Excused    int    // how many duplicates the faults would have allowed
	Violation  string // which invariant was broken; "" for none
	Trace      []string
}
