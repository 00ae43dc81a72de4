package store

import (
	"strconv"

	"github.com/postrider/postrider/internal/message"
)

// The SET clauses and guards that several steps share. They are the SQL of the
// helpers of the same names in message/transition.go.

// toOutbox is the one way back; due is an expression. The row of the outbox is
// written beside it, by insertOutbox.
func (t *txn) toOutbox(due string) string {
	return `status='queued', reason='', phase=0, dispatch=dispatch+1, lease_until=NULL, published_at=NULL,
		finished_at=NULL, next_attempt_at=` + due
}

// ended finishes a delivery; status and reason are expressions.
func (t *txn) ended(status, reason string) string {
	return `status=` + status + `, reason=` + reason + `, phase=0, lease_until=NULL, next_attempt_at=NULL,
		finished_at=` + t.clock()
}

const (
	// fenced lets a holder write the end of its try, also over an unknown one.
	fenced = `message_id=vid AND n=vn AND claim=vclaim AND status IN ('sending','unknown')`
	// held lets the holder alone write. By the table's CHECK a phase is what is being
	// sent has, and nothing else; said so, the small index of leases cannot seem a
	// shorter way to the row than its key.
	held = `message_id=vid AND n=vn AND claim=vclaim AND phase<>0`
	// queuedAs is a queued delivery that has not gone on since it was looked at.
	queuedAs = `message_id=vid AND n=vn AND dispatch=vdispatch AND status='queued'`
	// newUnknown is 1 unless the sweep has counted this outcome already.
	newUnknown = `CASE WHEN status='sending' THEN 1 ELSE 0 END`
)

// noMoreResends is where an unknown outcome ends by itself.
func noMoreResends() string {
	return `(on_unknown='hold' OR unknown_outcomes + ` + newUnknown + ` >= ` + strconv.Itoa(message.MaxUnknownOutcomes) + `)`
}

// poisonous is where one more interruption is the last.
func poisonous() string { return `interrupted + 1 >= ` + strconv.Itoa(message.MaxInterrupted) }

// newPhase is that of a new claim.
func (t *txn) newPhase() string {
	if t.cfg.Marking == message.MarkHold {
		return `CASE WHEN on_unknown='resend' THEN 2 ELSE 1 END`
	}
	return `1`
}

func (t *txn) live() string    { return `(expires_at IS NULL OR expires_at>` + t.clock() + `)` }
func (t *txn) expired() string { return `expires_at<=` + t.clock() }
