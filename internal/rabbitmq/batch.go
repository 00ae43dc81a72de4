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
	parcels    [][]message.Ref              // the refs, by the copy they travel in
	confirms   []*amqp.DeferredConfirmation // by parcel; nil: not sent
	acked      []bool                       // by parcel
	returned   map[message.Ref]bool
	unroutable bool  // all of it
	cause      error // why not all is confirmed
}

func newBatch(queue string, refs []message.Ref, most int) *batch {
	parcels := parcelsOf(refs, most)
	return &batch{
		queue: queue, refs: refs, parcels: parcels,
		confirms: make([]*amqp.DeferredConfirmation, len(parcels)), acked: make([]bool, len(parcels)),
	}
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
	i := 0
	for p, parcel := range b.parcels {
		for _, ref := range parcel {
			switch {
			case b.unroutable:
				errs[i] = unroutable
			case b.confirms[p] == nil:
				errs[i] = notSent
			case !b.acked[p]:
				errs[i] = unknown
			case b.returned[ref]:
				errs[i] = unroutable
			}
			i++
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
