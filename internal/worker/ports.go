// Package worker takes copies from the queue, claims their deliveries, sends
// them and records what became of each.
package worker

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

// Store keeps claims and outcomes. Every method answers in the order it was
// asked, is one transaction for the whole slice, and returns an error that
// wraps message.ErrUnavailable when the database cannot be reached: then
// nothing is known and the same call may be repeated. Safe for concurrent use.
//
// Claim takes each delivery whose copy may have it (message.Delivery.ClaimFor)
// and reads its content. Two bids for one delivery in one call: one wins.
//
// Renew prolongs leases; false means that the claim is certainly no longer the
// holder's. It waits for nobody: a claim whose row another transaction keeps
// locked is passed over and answered with true, since neither its loss nor its
// renewal is known; the next call finds out, well before the lease is over. It
// is called every quarter of a lease even when nothing is held, so that the
// store can publish what it keeps per process.
//
// Mark is the last step before the final dot; false means refused. Work.Marked
// says that the claim was one: then none need be asked for before three quarters
// of the lease are over.
//
// Record writes outcomes with their attempts; a fenced write that matches
// nothing is no error. The errors are per outcome.
type Store interface {
	Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error)
	Renew(ctx context.Context, held []message.Held) ([]bool, error)
	Mark(ctx context.Context, held []message.Held) ([]bool, error)
	Record(ctx context.Context, outcomes []message.Outcome) []error
}

// DeadLetters keeps copies that could not be turned into work.
type DeadLetters interface {
	Bury(ctx context.Context, letters []message.DeadLetter) error
}

// Queue is the receiving side of the broker.
//
// Consume opens one channel with prefetch 1 on the lane and hands its copies
// to handle, one at a time, settling each by the verdict, until ctx ends. It
// then stops receiving, waits for the handler in hand, settles, and returns
// nil. Lost sessions are replaced without end; a verdict for a copy of an
// older session is dropped, since the broker has taken that copy back. An
// error means that the queue cannot be consumed at all and names the remedy.
type Queue interface {
	Consume(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error
}

// Sender sends one delivery over its channel.
//
// It calls mark exactly before the point of no return (SMTP: the final dot)
// and breaks off without sending when mark fails, returning an error that
// wraps mark's. Every other error is a *message.SendError. When ctx ends
// before mark, the try is broken off as FaultTemporary; after mark the sender
// waits for the reply as long as RFC 5321 4.5.3.2.6 asks, and an end of ctx
// makes the outcome FaultUnknown: a worker ends it then only when it must stop
// at once. Safe for concurrent use.
//
// Probe asks whether the relay host takes mail at all, without sending any.
type Sender interface {
	Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error)
	Probe(ctx context.Context) error
}
