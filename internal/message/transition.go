package message

import (
	"time"

	"github.com/google/uuid"
)

// Each method below is one step of the protocol as a pure function of the row:
// it returns the row after the step and whether the step's guard held. Where it
// did not, the row is returned unchanged. A step that raised Dispatch has put
// the delivery in the outbox, due at NextAttemptAt: see Queued.

// Queued reports whether the step from d to next wrote an outbox row.
func (d Delivery) Queued(next Delivery) bool { return next.Dispatch != d.Dispatch }

// toOutbox is the one way back: a new dispatch number makes every copy, row and
// relay batch of the delivery stale at once.
func (d Delivery) toOutbox(at time.Time) Delivery {
	d.Status, d.Reason, d.Phase = StatusQueued, ReasonNone, PhaseNone
	d.Dispatch++
	d.LeaseUntil, d.PublishedAt, d.FinishedAt = time.Time{}, time.Time{}, time.Time{}
	d.NextAttemptAt = at
	return d
}

func (d Delivery) end(s Status, r Reason, now time.Time) Delivery {
	d.Status, d.Reason, d.Phase = s, r, PhaseNone
	d.LeaseUntil, d.NextAttemptAt = time.Time{}, time.Time{}
	d.FinishedAt = now
	return d
}

func (d *Delivery) expired(now time.Time) bool {
	return !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(now)
}

func (d *Delivery) heldBy(h Held) bool { return d.Claim == h.Claim && d.Status == StatusSending }

// Published notes that a confirmed copy of ref is with the broker. A row that
// has gone on since keeps what it says.
func (d Delivery) Published(ref Ref, now time.Time) (Delivery, bool) {
	if d.Dispatch != ref.Dispatch || d.Status != StatusQueued {
		return d, false
	}
	d.PublishedAt = now
	return d, true
}

// Claimable reports whether a copy may take the delivery. The equal dispatch
// number is also the proof that it is due. A delivery in another's hands is
// taken over only before its mark: when the lease is over, or at once the first
// time the broker says that the holder's channel is gone.
func (d *Delivery) Claimable(b Bid, now time.Time) bool {
	if d.Dispatch != b.Dispatch {
		return false
	}
	if d.Status == StatusQueued {
		return true
	}
	return d.Status == StatusSending && d.Phase == PhaseClaimed &&
		(d.LeaseUntil.Before(now) || b.Redelivered && d.Interrupted == 0)
}

// Claimant is who claims, and how.
type Claimant struct {
	Worker  uuid.UUID
	Lease   time.Duration
	Marking Marking
}

// ClaimFor takes the delivery for a worker until now and its lease; one that is
// past its ExpiresAt fails instead.
func (d Delivery) ClaimFor(b Bid, by Claimant, now time.Time) (Delivery, ClaimState) {
	if !d.Claimable(b, now) {
		return d, ClaimNothing
	}
	if d.expired(now) {
		return d.end(StatusFailed, ReasonExpired, now), ClaimExpired
	}
	if d.Status == StatusSending {
		d.Interrupted++
	}
	d.Status, d.Phase, d.WorkerID = StatusSending, by.Marking.phase(d.OnUnknown), by.Worker
	d.Claim++
	d.LeaseUntil = now.Add(by.Lease)
	return d, ClaimTaken
}

// Renew prolongs the holder's lease.
func (d Delivery) Renew(h Held, now time.Time, lease time.Duration) (Delivery, bool) {
	if !d.heldBy(h) {
		return d, false
	}
	d.LeaseUntil = now.Add(lease)
	return d, true
}

// Mark is the holder's last step before the final dot. Refused, nothing may be
// sent. It may be repeated.
func (d Delivery) Mark(h Held, now time.Time, lease time.Duration) (Delivery, bool) {
	if !d.heldBy(h) || d.expired(now) {
		return d, false
	}
	d.Phase = PhaseData
	d.LeaseUntil = now.Add(lease)
	return d, true
}

// Record writes the end of a try.
func (d Delivery) Record(o Outcome, now time.Time) (Delivery, bool) {
	switch o.Kind {
	case OutcomeSent:
		return d.recordSent(o, now)
	case OutcomeReleased:
		return d.recordReleased(o, now)
	}
	if d.Claim != o.Claim || d.Status != StatusSending && d.Status != StatusUnknown {
		return d, false
	}
	switch o.Kind {
	case OutcomeFailed:
		return d.end(StatusFailed, o.Reason, now), true
	case OutcomeUnknown:
		return d.unknown(o, now), true
	default:
		return d.retry(o, now), true
	}
}

// recordSent has no fence: a 250 is a fact, whoever holds the row by now.
func (d Delivery) recordSent(o Outcome, now time.Time) (Delivery, bool) {
	if d.Status == StatusSent {
		return d, false
	}
	d = d.end(StatusSent, ReasonNone, now)
	d.RemoteID = o.Attempt.RemoteID
	return d, true
}

// recordReleased needs proof that nothing was sent: the phase, or, where the
// claim was the mark, the word of its holder, which alone could have sent.
func (d Delivery) recordReleased(o Outcome, now time.Time) (Delivery, bool) {
	if !d.heldBy(o.Held) || d.Phase != PhaseClaimed && !o.NoDot {
		return d, false
	}
	return d.toOutbox(now.Add(o.After)), true
}

// retry ends a try that certainly sent nothing, so a holder that lived to say
// so clears the count of those that did not.
func (d Delivery) retry(o Outcome, now time.Time) Delivery {
	d.Attempts++
	d.Interrupted = 0
	if o.Exhausted {
		return d.end(StatusFailed, ReasonExhausted, now)
	}
	return d.toOutbox(now.Add(o.After))
}

func (d Delivery) unknown(o Outcome, now time.Time) Delivery {
	if d.Status == StatusSending { // the sweep counted it already where it is unknown
		d.UnknownOutcomes++
	}
	if d.OnUnknown == Hold || d.UnknownOutcomes >= MaxUnknownOutcomes {
		return d.end(StatusUnknown, ReasonNone, now)
	}
	return d.retry(o, now)
}

// LongestLease is the longest that the settings admit. A lease that ends later
// than twice that from now was given by a clock that has been set back since.
const LongestLease = 10 * time.Minute

// LeaseOver reports whether nobody holds the delivery any more: its lease has
// ended, or would end in a future that no living worker reckons with. Those
// that live have renewed theirs since the clock stepped.
func (d *Delivery) LeaseOver(now time.Time) bool {
	return d.LeaseUntil.Before(now) || d.LeaseUntil.After(now.Add(2*LongestLease))
}

// SweepLease takes back a delivery whose lease is over. Before the mark it goes
// to the outbox, or fails as poison when that happened too often; after it the
// outcome is unknown.
func (d Delivery) SweepLease(now time.Time, after time.Duration) (Delivery, bool) {
	if d.Status != StatusSending || !d.LeaseOver(now) {
		return d, false
	}
	if d.Phase == PhaseData {
		d.UnknownOutcomes++
		if d.OnUnknown == Hold || d.UnknownOutcomes >= MaxUnknownOutcomes {
			return d.end(StatusUnknown, ReasonNone, now), true
		}
		return d.toOutbox(now.Add(after)), true
	}
	d.Interrupted++
	if d.Interrupted >= MaxInterrupted {
		return d.end(StatusFailed, ReasonPoison, now), true
	}
	return d.toOutbox(now.Add(after)), true
}

// SweepLost publishes again a copy that the broker evidently lost. The caller
// holds the evidence; age alone is none.
func (d Delivery) SweepLost(now time.Time) (Delivery, bool) {
	if d.Status != StatusQueued || d.PublishedAt.IsZero() {
		return d, false
	}
	return d.toOutbox(now), true
}

// Expire fails a queued delivery whose ExpiresAt has passed.
func (d Delivery) Expire(now time.Time) (Delivery, bool) {
	if d.Status != StatusQueued || !d.expired(now) {
		return d, false
	}
	return d.end(StatusFailed, ReasonExpired, now), true
}

// Cancel stops a delivery that cannot have been sent: queued, or claimed and
// not marked. The holder learns of it when its mark is refused.
func (d Delivery) Cancel(now time.Time) (Delivery, bool) {
	if d.Status != StatusQueued && (d.Status != StatusSending || d.Phase != PhaseClaimed) {
		return d, false
	}
	return d.end(StatusCanceled, ReasonNone, now), true
}

// Reschedule moves a queued delivery to another time.
func (d Delivery) Reschedule(at time.Time) (Delivery, bool) {
	if d.Status != StatusQueued {
		return d, false
	}
	return d.toOutbox(at), true
}

// ManualRetry starts a delivery anew that has ended otherwise than sent. What
// was unknown stays counted: a copy may be out there. What is invalid was never
// fit to be sent, and a message does not change.
func (d Delivery) ManualRetry(now time.Time) (Delivery, bool) {
	if d.Reason == ReasonInvalid {
		return d, false
	}
	switch d.Status {
	case StatusFailed, StatusUnknown, StatusCanceled:
		d.Attempts, d.Interrupted = 0, 0
		return d.toOutbox(now), true
	default:
		return d, false
	}
}
