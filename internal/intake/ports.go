// Package intake takes in what callers enqueued within transactions of their own.
// Any number of processes compete; none leads.
package intake

import (
	"context"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Store holds the intake. Errors wrap message.ErrUnavailable when the database
// cannot be reached. Safe for concurrent use.
//
// TakeIn takes up to limit emails after the one named, oldest first, skipping those that
// another process holds, asks read what each is, and in one transaction commits the message, of the
// id that the email has, and deletes the email. What is refused becomes a message
// that has failed with message.ReasonInvalid. It returns what it took, and the
// last that it looked at, none when nothing waits there. With an error, some may have been
// taken in all the same: those are returned too, and the others are still there. Read may
// be called again for the same email; one of which it cannot tell now stays, and holds up
// no other.
//
// AwaitEnqueued blocks until an email may have come, or ctx ends. It is a hint: it
// may return early, and it may miss one.
//
// ForgetEnqueueKeys deletes idempotency keys that have expired.
type Store interface {
	TakeIn(ctx context.Context, after uuid.UUID, limit int, read Read) (message.IntakeLook, error)
	AwaitEnqueued(ctx context.Context) error
	ForgetEnqueueKeys(ctx context.Context) error
}

// Read turns the JSON of an email into a message, or refuses it. It changes nothing.
// An error says that it cannot be told now whether the email is right.
type Read = func(context.Context, message.Enqueued) (message.Reading, error)
