// Package accept takes messages in: it gives each an id, commits it, and wakes
// the relay. Nothing is answered before the commit.
package accept

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// Store commits messages.
//
// Accept writes each submission's idempotency key, message, deliveries and
// outbox rows in one transaction for the whole slice, and answers in its
// order. A submission that cannot be stored gets its own Err and never fails
// the others. The same key with the same hash answers the first message's id
// and Replayed; with another hash, a *message.Error with
// CodeIdempotencyConflict. Two submissions of one key at the same moment: the
// second waits for the first, and fails where that takes long, at worst with
// others of its tenant that have a key. A lost reply of the commit is
// message.ErrUnavailable: the caller repeats with the same key. Safe for
// concurrent use.
//
// Replay answers what an earlier request with this key and hash came to; found
// is false where there was none, or another request stands under the key.
type Store interface {
	Accept(ctx context.Context, submissions []message.Submission) []message.Acceptance
	Replay(ctx context.Context, tenant int64, key string, hash [32]byte) (answer message.Acceptance, found bool, err error)
}

// Guard holds messages to what their key may send. Only those of a restricted
// grant are brought before it.
//
// Admit answers in the order of the messages. A *message.Error refuses one: its
// sender is not among the key's, or the daily quota is used up. Recipients of
// those that may be accepted are counted, in all processes together.
//
// GiveBack takes the count of messages back that certainly were not stored. Safe
// for concurrent use.
type Guard interface {
	Admit(ctx context.Context, by *message.Grant, messages []*message.Message) []message.Admission
	GiveBack(ctx context.Context, by *message.Grant, admissions []message.Admission)
}

// Templates renders the published version of the tenant's template that a draft
// names. The error is a *message.Error with pointers into the draft, or wraps
// message.ErrUnavailable. Safe for concurrent use.
type Templates interface {
	Render(ctx context.Context, tenant int64, use *message.TemplateUse) (message.Rendered, error)
}
