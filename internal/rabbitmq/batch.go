package rabbitmq

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
)

// batch is what became of the refs of one Publish.
type batch struct {
	queue      string
	refs       []message.Ref
	confirms   []*amqp.DeferredConfirmation // nil: not sent
	acked      []bool
	returned   map[message.Ref]bool
	unroutable bool  // all of it
	cause      error // why not all is confirmed
}

func newBatch(queue string, refs []message.Ref) *batch {
	return &batch{queue: queue, refs: refs, confirms: make([]*amqp.DeferredConfirmation, len(refs)), acked: make([]bool, len(refs))}
}

// conclude takes what is confirmed by now as the result. The broker confirms
// also what it could not route, but returns it first: so the confirms are read
// before the returns, and one that comes in between counts for nothing. It
// reports whether all are confirmed.
func (b *batch) conclude(returns <-chan amqp.Return) (all bool) {
	all = true
	for i, confirm := range b.confirms {
		b.acked[i] = confirm != nil && confirm.Acked()
		all = all && b.acked[i]
	}
	b.collect(returns)
	return all
}

// collect notes the copies that came back.
func (b *batch) collect(returns <-chan amqp.Return) {
	for {
		select {
		case r, open := <-returns:
			if !open {
				return
			}
			refs, _ := decodeBody(r.Body)
			for _, ref := range refs {
				if b.returned == nil {
					b.returned = map[message.Ref]bool{}
				}
				b.returned[ref] = true
			}
		default:
			return
		}
	}
}

// errors is the answer to the caller. Errors of one kind are the same value.
func (b *batch) errors() []error {
	var (
		errs       = make([]error, len(b.refs))
		unroutable = fmt.Errorf("rabbitmq: publish to %s: %w", b.queue, message.ErrUnroutable)
		notSent    = b.failed(message.ErrUnavailable)
		unknown    = b.failed(message.ErrNotConfirmed)
	)
	for i, ref := range b.refs {
		switch {
		case b.unroutable:
			errs[i] = unroutable
		case b.confirms[i] == nil:
			errs[i] = notSent
		case !b.acked[i]:
			errs[i] = unknown
		case b.returned[ref]:
			errs[i] = unroutable
		}
	}
	return errs
}

func (b *batch) failed(kind error) error {
	switch {
	case b.cause == nil:
		return fmt.Errorf("rabbitmq: publish to %s: %w: the broker refused it", b.queue, kind)
	case errors.Is(b.cause, kind):
		return fmt.Errorf("rabbitmq: publish to %s: %w", b.queue, b.cause)
	default:
		return fmt.Errorf("rabbitmq: publish to %s: %w: %w", b.queue, kind, b.cause)
	}
}
