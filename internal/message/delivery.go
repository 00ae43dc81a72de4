package message

import (
	"time"

	"github.com/google/uuid"
)

// Delivery is one recipient of a message: what is queued, claimed, sent and
// retried. Times are database times; zero means not set.
type Delivery struct {
	Key
	TenantID        int64
	Channel         Channel
	Role            Role
	Address         string
	Lane            Lane
	OnUnknown       OnUnknown // the message's, beside the state it decides on
	ExpiresAt       time.Time // the message's
	Status          Status
	Reason          Reason
	Dispatch        int32 // raised by every decision to publish
	Claim           int32 // raised by every claim; fences the holder's writes
	Phase           Phase
	LeaseUntil      time.Time
	WorkerID        uuid.UUID
	PublishedAt     time.Time // a copy is with the broker since then
	NextAttemptAt   time.Time
	Attempts        int // tries charged since acceptance or the last manual retry
	Interrupted     int // claims that ended with their worker, before the mark
	UnknownOutcomes int
	RemoteID        string
	FinishedAt      time.Time
}

// PossiblySent reports whether a copy may have been delivered although the
// record does not say sent.
func (d *Delivery) PossiblySent() bool {
	return d.UnknownOutcomes > 0 && d.Status != StatusSent
}

// Shown is the status as callers see it at the time now: a queued delivery with
// its time ahead is scheduled, or delayed if a worker has had it before: what was
// released because the relay host is down has no try behind it, and nobody
// scheduled it.
func (d *Delivery) Shown(now time.Time) Status {
	if d.Status != StatusQueued || !d.NextAttemptAt.After(now) {
		return d.Status
	}
	if d.Claim > 0 {
		return StatusDelayed
	}
	return StatusScheduled
}

// shownOrder ranks the states a message can show: the most active open one
// first, then the ends that want attention, then the good one.
func shownOrder() []Status {
	return []Status{
		StatusSending, StatusDelayed, StatusQueued, StatusScheduled,
		StatusUnknown, StatusFailed, StatusSuppressed, StatusCanceled, StatusSent,
	}
}

// Summarize derives a message's status and the count of each shown status from
// its deliveries at the time now.
func Summarize(deliveries []Delivery, now time.Time) (Status, map[Status]int) {
	counts := map[Status]int{}
	for i := range deliveries {
		counts[deliveries[i].Shown(now)]++
	}
	for _, s := range shownOrder() {
		if counts[s] > 0 {
			return s, counts
		}
	}
	return StatusQueued, counts
}
