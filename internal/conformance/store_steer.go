package conformance

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func steerCases() []storeCase {
	return []storeCase{
		{"cancel stops what is queued or claimed, and nothing else", caseCancel},
		{"a canceled message is not published", caseCancelOutbox},
		{"reschedule moves what is queued", caseReschedule},
		{"a manual retry starts anew and forgets no doubt", caseManualRetry},
		{"what is invalid is not retried", caseRetryInvalid},
		{"an unknown message is not found", caseNotFound},
	}
}

func caseCancel(b *storeBench) {
	s := draft(5, b.markedLater)
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	refs := b.publish()
	b.claim(refs[1])
	equal(b, "mark", b.mark(b.claim(refs[2])), true)
	sent := b.claim(refs[3])
	equal(b, "mark", b.mark(sent), true)
	b.record(outcome(sent, message.OutcomeSent))
	b.record(outcome(b.claim(refs[4]), message.OutcomeFailed))
	n, err := b.store.Cancel(b.Context(), message.DefaultTenant, s.Message.ID)
	b.check(err)
	equal(b, "canceled", n, 2)
	want := []message.Status{
		message.StatusCanceled, message.StatusCanceled, message.StatusSending, message.StatusSent, message.StatusFailed,
	}
	for i, ref := range refs {
		b.status(ref.Key, want[i])
	}
	n, err = b.store.Cancel(b.Context(), message.DefaultTenant, s.Message.ID)
	b.check(err)
	equal(b, "again", n, 0)
}

func caseCancelOutbox(b *storeBench) {
	k := b.post(b.scheduled(time.Hour))
	_, err := b.store.Cancel(b.Context(), message.DefaultTenant, k.MessageID)
	b.check(err)
	b.status(k, message.StatusCanceled)
	equal(b, "outbox", b.outbox(), 0)
}

func caseReschedule(b *storeBench) {
	k := b.post(b.scheduled(time.Hour))
	at := b.clock.Now().Add(10 * time.Minute)
	n, err := b.store.Reschedule(b.Context(), message.DefaultTenant, k.MessageID, at)
	b.check(err)
	equal(b, "rescheduled", n, 1)
	d := b.status(k, message.StatusQueued)
	equal(b, "next", d.NextAttemptAt, at)
	equal(b, "dispatch", d.Dispatch, 2)
	equal(b, "outbox", b.outbox(), 1)
	n, err = b.store.Reschedule(b.Context(), message.DefaultTenant, k.MessageID, time.Time{})
	b.check(err)
	equal(b, "at once", n, 1)
	ref := b.publish()[0]
	equal(b, "number", ref.Dispatch, 3)
	b.claim(ref)
	n, err = b.store.Reschedule(b.Context(), message.DefaultTenant, k.MessageID, at)
	b.check(err)
	equal(b, "while it is sent", n, 0)
}

func caseManualRetry(b *storeBench) {
	h := b.marked(onHold)
	b.record(outcome(h, message.OutcomeUnknown))
	n, err := b.store.Retry(b.Context(), message.DefaultTenant, h.MessageID)
	b.check(err)
	equal(b, "retried", n, 1)
	d := b.status(h.Key, message.StatusQueued)
	equal(b, "unknown outcomes", d.UnknownOutcomes, 1)
	equal(b, "attempts", d.Attempts+d.Interrupted, 0)
	second := b.claim(b.publish()[0])
	b.record(outcome(second, message.OutcomeFailed))
	equal(b, "possibly sent", func() bool { d := b.row(h.Key); return d.PossiblySent() }(), true)
	b.record(outcome(second, message.OutcomeSent))
	n, err = b.store.Retry(b.Context(), message.DefaultTenant, h.MessageID)
	b.check(err)
	equal(b, "what was sent", n, 0)
	b.status(h.Key, message.StatusSent)
}

func caseRetryInvalid(b *storeBench) {
	h := b.marked()
	b.record(outcome(h, message.OutcomeFailed, func(o *message.Outcome) { o.Reason = message.ReasonInvalid }))
	n, err := b.store.Retry(b.Context(), message.DefaultTenant, h.MessageID)
	b.check(err)
	equal(b, "retried", n, 0)
	equal(b, "reason", b.status(h.Key, message.StatusFailed).Reason, message.ReasonInvalid)
	equal(b, "outbox", b.outbox(), 0)
}

func caseNotFound(b *storeBench) {
	id := uuid.New()
	_, view := b.store.Email(b.Context(), message.DefaultTenant, id)
	_, cancel := b.store.Cancel(b.Context(), message.DefaultTenant, id)
	_, retry := b.store.Retry(b.Context(), message.DefaultTenant, id)
	_, reschedule := b.store.Reschedule(b.Context(), message.DefaultTenant, id, b.clock.Now())
	for _, err := range []error{view, cancel, retry, reschedule} {
		equal(b, "not found", errors.Is(err, message.ErrNotFound), true)
		equal(b, "unavailable", errors.Is(err, message.ErrUnavailable), false)
	}
}
