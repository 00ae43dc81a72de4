package memory

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Snapshot is all rows at one moment, for invariants to be checked from outside.
// Nothing in it belongs to the database any more.
type Snapshot struct {
	Now         time.Time
	Deliveries  []message.Delivery   // in the order of acceptance, by recipient
	Attempts    []AttemptRow         // in the order of acceptance, then as they were written
	Outbox      []OutboxRow          // by the time they are due
	Keys        []IdempotencyRow     // by tenant and key, also expired ones that no sweep has met
	DeadLetters []message.DeadLetter // as they came
	Processes   []message.Process    // in the order of their first heartbeats
}

// OutboxRow is what the database holds and the broker may not.
type OutboxRow struct {
	message.Ref
	TenantID int64
	Channel  message.Channel
	Lane     message.Lane
	DueAt    time.Time
}

// AttemptRow is a try and the message it was for.
type AttemptRow struct {
	MessageID uuid.UUID
	message.Attempt
}

// IdempotencyRow is a key and the message that came of its first request.
type IdempotencyRow struct {
	TenantID  int64
	Key       string
	Hash      [32]byte
	MessageID uuid.UUID
	ExpiresAt time.Time
}

// Snapshot reads every row in one step into what is given, whose memory it uses
// again: take one Snapshot for many looks.
func (db *Database) Snapshot(into *Snapshot) {
	db.mu.Lock()
	defer db.mu.Unlock()
	into.Now = db.now()
	into.Deliveries, into.Attempts, into.Outbox, into.Keys = into.Deliveries[:0], into.Attempts[:0], into.Outbox[:0], into.Keys[:0]
	for _, m := range db.mails {
		into.Deliveries = append(into.Deliveries, m.deliveries...)
		for _, a := range m.attempts {
			into.Attempts = append(into.Attempts, AttemptRow{MessageID: m.message.ID, Attempt: a})
		}
	}
	for _, e := range db.outbox {
		into.Outbox = append(into.Outbox, e.OutboxRow)
	}
	for id, known := range db.keys {
		into.Keys = append(into.Keys, IdempotencyRow{
			TenantID: id.tenant, Key: id.key, Hash: known.hash, MessageID: known.answer.ID, ExpiresAt: known.expiresAt,
		})
	}
	slices.SortFunc(into.Keys, func(a, b IdempotencyRow) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Key, b.Key))
	})
	into.DeadLetters = append(into.DeadLetters[:0], db.letters...)
	into.Processes = append(into.Processes[:0], db.workers...)
}
