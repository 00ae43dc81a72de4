// Package standin stands in for the relay host at the addresses of
// message.SimulatorDomain, so that an application can be tried out in every state
// without a mail leaving the house. All that is before and behind it is as for any
// mail: it is claimed, marked, recorded and retried.
package standin

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/render"
)

// Sender is what sends all other mail: the worker's port of that name, which the
// stand-in itself fulfils.
type Sender interface {
	Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error)
	Probe(ctx context.Context) error
}

const (
	// slowness is how long slow@ takes: longer than the quarter of the usual lease,
	// so that a claim is renewed meanwhile, and long enough to be canceled by hand.
	slowness = 8 * time.Second
	// slowAtOnce bounds how many workers slow@ occupies in this process. Whoever
	// posts to it must not hold up the mail of others.
	slowAtOnce = 1
)

// Standin decorates a Sender. Safe for concurrent use.
type Standin struct {
	next Sender
	slow chan struct{}
}

// New returns a stand-in before next, which gets all mail but its own.
func New(next Sender) *Standin {
	return &Standin{next: next, slow: make(chan struct{}, slowAtOnce)}
}

// Probe asks next: the stand-in is never down.
func (s *Standin) Probe(ctx context.Context) error { return s.next.Probe(ctx) }

// Send implements the worker's Sender. Its own recipients never fail by the relay
// host's fault, so that none of them stops the mail of others.
func (s *Standin) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	part, ok := message.Simulated(work.Address)
	if !ok {
		return s.next.Send(ctx, work, mark)
	}
	if _, err := render.New(work.Message); err != nil {
		return message.Receipt{}, err
	}
	if err := s.act(ctx, part, work.Attempts); err != nil {
		return message.Receipt{}, err
	}
	return take(ctx, mark)
}

// act is all that happens before the final dot.
func (s *Standin) act(ctx context.Context, part string, tries int) error {
	switch part {
	case "delivered":
		return nil
	case "bounced":
		return refuse(550, "5.1.1", "no such mailbox")
	case "delayed":
		if tries == 0 {
			return refuse(451, "4.7.1", "greylisted, try again later")
		}
		return nil
	case "slow":
		return s.linger(ctx)
	}
	return refuse(550, "5.1.1", "there are delivered@, bounced@, delayed@ and slow@")
}

func (s *Standin) linger(ctx context.Context) error {
	select {
	case s.slow <- struct{}{}:
		defer func() { <-s.slow }()
	default:
		return refuse(451, "4.3.2", "one slow mail at a time, try again later")
	}
	if err := pause.For(ctx, slowness); err != nil {
		return brokenOff(ctx)
	}
	return nil
}

// take marks the mail and takes it.
func take(ctx context.Context, mark func(context.Context) error) (message.Receipt, error) {
	if ctx.Err() != nil {
		return message.Receipt{}, brokenOff(ctx)
	}
	if err := mark(ctx); err != nil {
		return message.Receipt{}, fmt.Errorf("before the final dot: %w", err)
	}
	return message.Receipt{
		RelayHost: message.SimulatorDomain, Code: 250, Enhanced: "2.0.0", Text: "simulated: taken", RemoteID: "simulated",
	}, nil
}

// refuse answers the recipient as a host would: for now with a 4xx, else for good.
func refuse(code int, enhanced, text string) error {
	e := &message.SendError{
		Fault: message.FaultTemporary, RelayHost: message.SimulatorDomain, Stage: "RCPT",
		Code: code, Enhanced: enhanced, Text: "simulated: " + text,
	}
	if code/100 == 5 {
		e.Fault, e.Reason = message.FaultPermanent, message.ReasonRejected
	}
	return e
}

func brokenOff(ctx context.Context) error {
	err := context.Cause(ctx)
	return &message.SendError{
		Fault: message.FaultTemporary, RelayHost: message.SimulatorDomain, Text: "simulated: broken off: " + err.Error(), Err: err,
	}
}
