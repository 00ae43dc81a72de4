package simulate

import (
	"context"
	"errors"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/worker"
)

// Mutant takes one guard away, by a decorator on a port, so that the product
// holds no switch for it. A simulation that does not notice would not notice its
// loss in the product either.
type Mutant struct {
	Name  string
	Store func(Store, Mutation) Store
	Queue func(Queue) Queue
	Send  func(worker.Sender) worker.Sender
}

// Mutation is what a decorator of the store may look at.
type Mutation struct {
	// Row reads a delivery; false: there is none.
	Row func(message.Key) (message.Delivery, bool)
}

func (m Mutant) store(next Store, w *world) Store {
	if m.Store == nil {
		return next
	}
	return m.Store(next, Mutation{Row: w.row})
}

func (m Mutant) queue(next Queue) Queue {
	if m.Queue == nil {
		return next
	}
	return m.Queue(next)
}

func (m Mutant) sender(next worker.Sender) worker.Sender {
	if m.Send == nil {
		return next
	}
	return m.Send(next)
}

func (w *world) row(k message.Key) (message.Delivery, bool) {
	for _, d := range w.look().Deliveries {
		if d.Key == k {
			return d, true
		}
	}
	return message.Delivery{}, false
}

// Mutants returns one for each guard that the protocol cannot do without.
func Mutants() []Mutant {
	return []Mutant{
		{Name: "claim fence", Store: func(s Store, m Mutation) Store { return unfenced{s, m} }},
		{Name: "state check at the claim", Store: func(s Store, m Mutation) Store { return anyState{s, m} }},
		{Name: "dispatch check", Store: func(s Store, m Mutation) Store { return anyDispatch{s, m} }},
		{Name: "idempotency index", Store: func(s Store, _ Mutation) Store { return keyless{s} }},
		{Name: "confirm wait", Queue: func(q Queue) Queue {
			return credulous{Queue: q, believes: func(err error) bool { return err != nil && !isUnroutable(err) }}
		}},
		{Name: "mandatory", Queue: func(q Queue) Queue { return credulous{Queue: q, believes: isUnroutable} }},
		{Name: "ack after the claim", Queue: func(q Queue) Queue { return ackFirst{q} }},
		{Name: "mark at the claim", Store: func(s Store, _ Mutation) Store { return presumed{s} }},
		{Name: "mark of an old claim", Send: func(s worker.Sender) worker.Sender { return ageless{s} }},
		{Name: "mark", Send: func(s worker.Sender) worker.Sender { return unmarked{s} }},
	}
}

func isUnroutable(err error) bool { return errors.Is(err, message.ErrUnroutable) }

// unfenced lets a holder write under whatever claim there is.
type unfenced struct {
	Store
	Mutation
}

func (u unfenced) current(h message.Held) message.Held {
	if d, ok := u.Row(h.Key); ok {
		h.Claim = d.Claim
	}
	return h
}

func (u unfenced) all(held []message.Held) []message.Held {
	list := make([]message.Held, len(held))
	for i, h := range held {
		list[i] = u.current(h)
	}
	return list
}

func (u unfenced) Renew(ctx context.Context, held []message.Held) ([]bool, error) {
	return u.Store.Renew(ctx, u.all(held))
}

func (u unfenced) Mark(ctx context.Context, held []message.Held) ([]bool, error) {
	return u.Store.Mark(ctx, u.all(held))
}

func (u unfenced) Record(ctx context.Context, outcomes []message.Outcome) []error {
	list := append([]message.Outcome{}, outcomes...)
	for i := range list {
		list[i].Held = u.current(list[i].Held)
		list[i].Attempt.Claim = list[i].Held.Claim
	}
	return u.Store.Record(ctx, list)
}

// anyState claims what has ended, given the equal number.
type anyState struct {
	Store
	Mutation
}

func (a anyState) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	list := append([]message.Bid{}, bids...)
	for i, b := range list {
		d, _ := a.Row(b.Key)
		_, more := a.Row(message.Key{MessageID: b.MessageID, N: 1}) // a retry would be theirs too
		ended := !d.Status.Open() && d.Status != message.StatusSent
		if more || !ended || d.Dispatch != b.Dispatch {
			continue
		}
		if n, err := a.Retry(ctx, message.DefaultTenant, b.MessageID); err == nil && n == 1 {
			list[i].Dispatch++
		}
	}
	return a.Store.Claim(ctx, list)
}

// anyDispatch claims by any copy.
type anyDispatch struct {
	Store
	Mutation
}

func (a anyDispatch) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	list := append([]message.Bid{}, bids...)
	for i, b := range list {
		if d, ok := a.Row(b.Key); ok {
			list[i].Dispatch = d.Dispatch
		}
	}
	return a.Store.Claim(ctx, list)
}

// keyless forgets idempotency keys.
type keyless struct{ Store }

func (k keyless) Accept(ctx context.Context, subs []message.Submission) []message.Acceptance {
	list := append([]message.Submission{}, subs...)
	for i := range list {
		list[i].IdempotencyKey = ""
	}
	return k.Store.Accept(ctx, list)
}

// credulous takes some refusals of the broker for confirms.
type credulous struct {
	Queue
	believes func(error) bool
}

func (c credulous) Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error {
	errs := c.Queue.Publish(ctx, lane, refs)
	for i, err := range errs {
		if c.believes(err) {
			errs[i] = nil
		}
	}
	return errs
}

// ackFirst answers for a copy before it is handled.
type ackFirst struct{ Queue }

func (a ackFirst) Consume(ctx context.Context, lane message.Lane, handle func(message.Copy) message.Verdict) error {
	turn := make(chan struct{}, 1)
	err := a.Queue.Consume(ctx, lane, func(c message.Copy) message.Verdict {
		turn <- struct{}{}
		go func() {
			defer func() { <-turn }()
			handle(c)
		}()
		return message.VerdictAck
	})
	turn <- struct{}{} // the last one is waited for
	return err
}

// presumed has workers take each claim for its mark, which none is.
type presumed struct{ Store }

func (p presumed) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	claims, err := p.Store.Claim(ctx, bids)
	for _, c := range claims {
		if c.Work != nil {
			c.Work.Marked = true
		}
	}
	return claims, err
}

// unmarked writes the dot without a mark.
type unmarked struct{ worker.Sender }

func (u unmarked) Send(ctx context.Context, work *message.Work, _ func(context.Context) error) (message.Receipt, error) {
	return u.Sender.Send(ctx, work, func(context.Context) error { return nil })
}

// ageless writes the dot without a mark where the claim was one, however long ago.
type ageless struct{ worker.Sender }

func (a ageless) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	return a.Sender.Send(ctx, work, func(ctx context.Context) error {
		if work.Marked {
			return nil
		}
		return mark(ctx)
	})
}
