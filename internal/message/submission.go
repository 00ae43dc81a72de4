package message

import (
	"time"

	"github.com/google/uuid"
)

// Submission is a valid message on its way into the store.
type Submission struct {
	Message *Message
	// IdempotencyKey is unique within the tenant for 24 h; "": none was given.
	IdempotencyKey string
	// Hash is the SHA-256 of the decoded request; it tells a repetition from
	// another request under the same key.
	Hash [32]byte
}

// Acceptance is what became of a Submission. Err is nil when the message is
// committed: then it is Postrider's to deliver.
type Acceptance struct {
	ID          uuid.UUID
	Replayed    bool // an earlier request with this key was accepted; ID is its message
	ScheduledAt time.Time
	Err         error // *Error with CodeIdempotencyConflict, ErrUnavailable, or another
}

// View is a message with all that happened to it, at the database time Now.
type View struct {
	Message    Message // attachments without their data
	Deliveries []Delivery
	Attempts   []Attempt // oldest first, across all recipients
	Now        time.Time
}

// Backlog is what of one lane waits in the outbox, or with the queue for a
// worker.
type Backlog struct {
	Lane            Lane
	Rows            int64         // all outbox rows, also those for later
	OldestDue       time.Duration // how long the oldest due row has waited; 0: none is due
	OldestUnclaimed time.Duration // how long the queue has had the oldest delivery that no worker has claimed; 0: there is none
}

// Swept counts what a sweep of leases did.
type Swept struct {
	Requeued int
	Unknown  int
	Poison   int
}

// Total is the number of deliveries the sweep moved.
func (s Swept) Total() int { return s.Requeued + s.Unknown + s.Poison }
