package simulate_test

import (
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/simulate"
)

// inMemory is the database that a hundred thousand seeds can afford.
type inMemory struct {
	db   *memory.Database
	snap memory.Snapshot
}

func newInMemory(clock func() time.Time, elapsed func() time.Duration, m message.Marking) simulate.Database {
	return &inMemory{db: memory.New(memory.Config{
		Now: clock, Elapsed: elapsed, Marking: m, Random: func(int64) int64 { return 0 },
	})}
}

func (m *inMemory) Open(place int) simulate.Store {
	return m.db.Open(message.Process{ID: uuid.UUID{byte(place + 1)}, Program: "postrider"})
}

func (m *inMemory) Crash(s simulate.Store) { s.(*memory.Store).Crash() }
func (m *inMemory) Restart()               { m.db.Restart() }

func (m *inMemory) Rows(_ []uuid.UUID, into *simulate.Rows) error {
	m.db.Snapshot(&m.snap)
	into.Deliveries, into.OutboxRows, into.AllOutbox = m.snap.Deliveries, int64(len(m.snap.Outbox)), true
	into.Outbox = into.Outbox[:0]
	for _, row := range m.snap.Outbox {
		into.Outbox = append(into.Outbox, row.Ref)
	}
	return nil
}
