// Package sweep repairs what crashes and lost brokers leave behind.
package sweep

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Store holds the steps of the sweep. Each is one transaction over at most
// limit deliveries, skipping rows that others hold; several sweeps may run at
// once. An error wraps message.ErrUnavailable when the database cannot be
// reached.
//
// Clock is the database's time.
//
// SweepLeases takes back deliveries whose lease is over
// (message.Delivery.SweepLease), spread over the given time. They were over by
// asOf already, a time that Clock gave: what happened since then, a step of the
// clock or a wait for the database, was judged by nobody yet. It waits for no
// lock on the table: while deliveries cannot be changed, their holders cannot
// renew, and a sweep that had waited would be the first to find their leases
// over. It is message.ErrUnavailable then, also with a limit of 0.
//
// SweepLost publishes again what the broker evidently lost: queued, published
// more than 20 s ago, and either published before emptySince (the lane was
// seen empty then and again at least 5 s later; zero: it was not) or
// overtaken: mail published 20 s later on the lane was already claimed.
//
// SweepExpired fails queued deliveries past their expires_at, and forgets
// idempotency keys past theirs.
type Store interface {
	Clock(ctx context.Context) (message.Clock, error)
	SweepLeases(ctx context.Context, asOf time.Time, limit int, spread time.Duration) (message.Swept, error)
	SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error)
	SweepExpired(ctx context.Context, limit int) (int, error)
}

// Queue is looked at for evidence of lost copies.
type Queue interface {
	Ready(ctx context.Context, lane message.Lane) (int, error)
}
