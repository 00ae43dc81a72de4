package message

import (
	"time"

	"github.com/google/uuid"
)

// Key names a delivery: the N-th recipient (from 0) of a message.
type Key struct {
	MessageID uuid.UUID
	N         int16
}

// Ref is what a copy on the queue carries: a delivery and the dispatch number
// it was published under. A copy whose number is not the delivery's is stale.
type Ref struct {
	Key
	Dispatch int32
}

// Copy is one message of the queue as a worker sees it.
type Copy struct {
	Refs        []Ref  // what to deliver; empty when the body could not be read
	Redelivered bool   // the broker says it handed this copy out before
	Queue       string // where it came from, for the record of dead letters
	Body        []byte // as received, at most 64 KiB of it
	Unreadable  string // why Refs is empty; "" when the body was read
}

// Verdict is what a worker answers the queue about a copy.
type Verdict int

// The verdicts. The zero value is none of them on purpose: a handler cannot
// forget to decide.
const (
	VerdictAck     Verdict = iota + 1 // done with, or in other custody
	VerdictRequeue                    // nack with requeue: a try was recorded as retryable
	VerdictReject                     // nack without requeue: to the dead-letter queue
)

// Bid is a copy's wish to claim its delivery.
type Bid struct {
	Ref
	Redelivered bool
}

// ClaimState is what came of a bid.
type ClaimState int

// What a bid can come to.
const (
	ClaimNothing ClaimState = iota // stale, ended, or in another's hands: ack
	ClaimTaken                     // Work is set: send it
	ClaimExpired                   // failed with ReasonExpired instead of being claimed
	ClaimMissing                   // no such delivery
)

// Claim is the answer to a Bid.
type Claim struct {
	State ClaimState
	Work  *Work // set with ClaimTaken only
}

// Held names a claim: the delivery and the claim number that fences every
// later write of its holder.
type Held struct {
	Key
	Claim int32
}

// Work is a claimed delivery with everything needed to send it.
type Work struct {
	Held
	Dispatch        int32
	Lane            Lane
	Channel         Channel
	Address         string    // the one recipient of this delivery
	Attempts        int       // tries charged before this one
	UnknownOutcomes int       // tries of which nobody knows the end
	Marked          bool      // the claim was the mark too: see MarkHold
	DueAt           time.Time // database time from which it could have been sent: accepted or scheduled
	ClaimedAt       time.Time // database time
	Message         *Message  // shared between the deliveries of one claim call; read only
}

// OutcomeKind is how a try ended.
type OutcomeKind string

// The outcomes a worker records. Their names are shown in the list of attempts.
const (
	OutcomeSent     OutcomeKind = "sent"     // 250 to the final dot: a fact, recorded without a fence
	OutcomeRetry    OutcomeKind = "retry"    // refused for now, or broken before the final dot
	OutcomeFailed   OutcomeKind = "failed"   // refused for good; Reason says why
	OutcomeUnknown  OutcomeKind = "unknown"  // the final dot was written and no reply came
	OutcomeReleased OutcomeKind = "released" // given back before the final dot; nothing is charged

	// OutcomeInterrupted is written by the sweep: the worker was lost before
	// its mark, so nothing was sent.
	OutcomeInterrupted OutcomeKind = "interrupted"
)

// Outcome is the end of a try, to be recorded. A fenced write that matches
// nothing is no error: the delivery has gone on without this holder.
type Outcome struct {
	Held
	Kind      OutcomeKind
	Reason    Reason        // with OutcomeFailed
	After     time.Duration // with retry, unknown and released: from now until the next try
	Exhausted bool          // with retry and unknown: no try is left, fail with ReasonExhausted
	NoDot     bool          // with released: the holder is certain that it wrote no dot, whatever the phase
	Attempt   Attempt
	Age       time.Duration // from when it could have been sent until now; measured, not stored
}

// Attempt is the record of one try. Released tries leave none.
type Attempt struct {
	N          int16
	Claim      int32
	StartedAt  time.Time
	FinishedAt time.Time
	WorkerID   uuid.UUID
	RelayHost  string
	Outcome    OutcomeKind
	Code       int    // SMTP reply code; 0 where none came
	Enhanced   string // RFC 3463, such as 5.1.1; may be empty
	Detail     string // reply text or error, cleaned, at most 1,000 bytes
	RemoteID   string // the relay host's queue id, where its reply named one
}

// Receipt is a sender's proof that the relay host took the mail.
type Receipt struct {
	RelayHost string
	Code      int
	Enhanced  string
	Text      string
	RemoteID  string
}

// DeadLetter is a copy that could not be turned into work.
type DeadLetter struct {
	Queue  string
	Reason string
	Body   []byte
}

// Clock is the database's own time and what it belongs to.
type Clock struct {
	Now   time.Time
	Epoch string // changes when the database was restarted
}

// Process describes a running program for the table of workers.
type Process struct {
	ID      uuid.UUID
	Program string // producer, consumer, postrider
	Host    string
	PID     int
	Version string
	State   string // running, draining, stopped
}
