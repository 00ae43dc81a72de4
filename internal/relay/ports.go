// Package relay moves due outbox rows to the queue. Any number of relays
// compete; none leads.
package relay

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Store hands out due outbox rows.
//
// Dispatch takes up to limit rows of the lane that are due, oldest first,
// skipping those another relay holds, and calls publish with them inside the
// transaction. Rows whose error is nil are deleted and, where the delivery is
// still queued under that dispatch, noted as published; the others stay. It
// returns how many rows it took and how many publish confirmed. Publish is not
// called when nothing is due. A relay that hangs inside publish loses its
// transaction after 10 s, and others go on with the rows.
//
// Due returns the lanes of which some row is due, and in how long the first row of
// another lane is; 0: none is to come. Rows that another relay holds may count.
//
// Wait blocks until a row of some lane may have become due without Wake having
// been called, or ctx ends, and returns such lanes. It is a hint: it may return
// early, name too many, and miss one.
type Store interface {
	Dispatch(ctx context.Context, lane message.Lane, limit int, publish Publish) (taken, confirmed int, err error)
	Due(ctx context.Context) (due []message.Lane, next time.Duration, err error)
	Wait(ctx context.Context) ([]message.Lane, error)
}

// Publish hands copies to the queue and answers in order; nil means that the
// broker has the copy durably.
type Publish = func(ctx context.Context, refs []message.Ref) []error

// Queue is the sending side of the broker. Safe for concurrent use.
//
// Publish returns, in order, nil for each copy the broker has confirmed and
// routed, else message.ErrUnroutable, ErrQueueFull, ErrNotConfirmed or
// ErrUnavailable. It returns within 5 s.
//
// Ready is the number of copies of the lane that wait for a consumer; copies
// in hand do not count.
type Queue interface {
	Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error
	Ready(ctx context.Context, lane message.Lane) (int, error)
}
