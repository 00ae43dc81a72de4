package memory_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
)

// kind is a port, and how to call it.
type kind struct {
	name   string
	weight int
	draw   func(*pair) call
	// restarts: the process is started anew after the call, since a SQL store
	// would not write the marks of its lanes again for a second of its own.
	restarts bool
	judges   bool // by the clock what others wrote down of theirs
}

func kinds() []kind {
	return []kind{
		{name: "claim", weight: 8, draw: (*pair).claim, judges: true},
		{name: "dispatch", weight: 8, draw: (*pair).dispatch},
		{name: "reschedule", weight: 2, draw: (*pair).reschedule},
		{name: "list", weight: 1, draw: (*pair).list},
		{name: "replay", weight: 1, draw: (*pair).replay},
		{name: "tenants", weight: 1, draw: (*pair).tenants},
		{name: "backlog", weight: 1, draw: (*pair).backlog, judges: true},
		{name: "clock", weight: 1, draw: (*pair).tell},
		{name: "read", weight: 1, draw: (*pair).read},
		{name: "accept", weight: 3, draw: (*pair).accept},
		{name: "accept a batch", weight: 2, draw: (*pair).acceptBatch},
		{name: "replay of a batch", weight: 1, draw: (*pair).replayBatch},
		{name: "renew", weight: 3, draw: (*pair).renew, restarts: true, judges: true},
		{name: "repair", weight: 1, draw: (*pair).repair},
		{name: "cancel", weight: 2, draw: (*pair).cancel},
		{name: "retry", weight: 2, draw: (*pair).retry},
		{name: "sweep expired", weight: 2, draw: (*pair).sweepExpired},
		{name: "sweep lost", weight: 3, draw: (*pair).sweepLost, judges: true},
		{name: "sweep leases", weight: 3, draw: (*pair).sweepLeases, judges: true},
		{name: "record", weight: 6, draw: (*pair).record},
		{name: "mark", weight: 7, draw: (*pair).mark},
	}
}

func weighted(all []kind) []kind {
	var list []kind
	for _, k := range all {
		for range k.weight {
			list = append(list, k)
		}
	}
	return list
}

// class is what callers tell errors by.
func class(err error) string {
	var refused *message.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return string(refused.Code)
	case errors.Is(err, message.ErrNotFound):
		return "not found"
	case errors.Is(err, message.ErrUnavailable):
		return "unavailable: " + err.Error()
	}
	return "refused"
}

// counted is the answer of a call that tells how many rows it changed.
type counted struct {
	N   any
	Err string
}

func (p *pair) accept() call {
	var subs []message.Submission
	for range 1 + p.pick(2, "messages") {
		subs = append(subs, p.submission(subs))
	}
	p.posted = append(p.posted, subs...)
	return call{fmt.Sprintf("accept %d", len(subs)), func(ctx context.Context, s conformance.StorePorts) any {
		type answer struct {
			message.Acceptance
			Err string
		}
		var answers []answer
		for _, a := range s.Accept(ctx, subs) {
			err := class(a.Err)
			a.Err = nil
			answers = append(answers, answer{a, err})
		}
		return answers
	}}
}

// batch is one whose messages are right more often than not. Its keys are those
// of single messages, its hashes are not.
func (p *pair) batch() *message.Batch {
	b := &message.Batch{ID: message.NewID(), TenantID: message.DefaultTenant}
	for range p.pick(4, "messages") {
		s := p.submission(nil)
		s.Message.TenantID = b.TenantID
		b.Messages = append(b.Messages, s.Message)
	}
	for i := range p.pick(3, "refused") {
		b.Refused = append(b.Refused, message.Refusal{Index: i, Message: "no"})
	}
	b.IdempotencyKey, b.Hash = p.key()
	b.Hash[1] = 1
	return b
}

func (p *pair) acceptBatch() call {
	b := p.batch()
	for _, m := range b.Messages {
		p.posted = append(p.posted, message.Submission{Message: m})
	}
	return call{fmt.Sprintf("accept a batch of %d", len(b.Messages)), func(ctx context.Context, s conformance.StorePorts) any {
		answer, err := s.AcceptBatch(ctx, b)
		return []any{answer, class(err)}
	}}
}

func (p *pair) replayBatch() call {
	b := p.batch()
	return call{"replay of the batch " + b.IdempotencyKey, func(ctx context.Context, s conformance.StorePorts) any {
		answer, found, err := s.ReplayBatch(ctx, message.DefaultTenant, b.IdempotencyKey, b.Hash)
		return []any{answer, found, class(err)}
	}}
}

func (p *pair) submission(before []message.Submission) message.Submission {
	now := p.clock.Now()
	m := &message.Message{
		ID: message.NewID(), TenantID: message.DefaultTenant, Kind: message.ChannelEmail, Lane: p.lane(),
		Head:    message.Head{From: message.Address{Email: "app@example.com"}, Subject: "Hello"},
		Content: message.Content{Text: "Hi."},
	}
	for n := range 1 + p.pick(2, "recipients") {
		m.Head.To = append(m.Head.To, message.Address{Email: fmt.Sprintf("r%d@example.com", n)})
	}
	switch p.pick(12, "fault") {
	case 0:
		m.Head.To = nil
	case 1:
		if all := append(slices.Clone(p.posted), before...); len(all) > 0 {
			m.ID = one(p, all, "id taken").Message.ID
		}
	case 2:
		m.TenantID++
	case 3:
		m.Attachments = []message.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 1, Data: []byte("x")}}
	}
	m.Head.Subject = one(p, []string{"Hello", "Grüsse", "\u212a", "100 %"}, "subject")
	if p.maybe(3, "tagged") {
		m.Head.Tags = []message.Tag{{Name: "kind", Value: one(p, []string{"a", "b"}, "tag")}}
	}
	m.OnUnknown = one(p, []message.OnUnknown{"", message.Resend, message.Hold}, "on unknown")
	if p.maybe(3, "expires") {
		m.ExpiresAt = now.Add(time.Duration(1+p.pick(3, "after"))*4*grid + part)
	}
	if p.maybe(4, "scheduled") {
		m.ScheduledAt = now.Add(time.Duration(p.pick(4, "after"))*grid + 2*part)
	}
	s := message.Submission{Message: m}
	s.IdempotencyKey, s.Hash = p.key()
	return s
}

func (p *pair) lane() message.Lane {
	return one(p, []message.Lane{message.LaneNormal, message.LaneNormal, message.LaneNormal, message.LaneHigh}, "lane")
}

func (p *pair) key() (string, [32]byte) {
	return one(p, []string{"", "", "", "a", "b"}, "key"), [32]byte{byte(p.pick(4, "hash") / 3)}
}

func (p *pair) replay() call {
	key, hash := p.key()
	return call{"replay of " + key, func(ctx context.Context, s conformance.StorePorts) any {
		a, found, err := s.Replay(ctx, message.DefaultTenant, key, hash)
		if !found { // then there is no answer
			a = message.Acceptance{}
		}
		return []any{a, found, class(err)}
	}}
}

// dispatched is the answer of a Dispatch, the refs in an order of their own:
// what is due at one moment goes in any.
type dispatched struct {
	Taken, Confirmed int
	Refs             []message.Ref
	Err              string
	Meanwhile        any
}

// dispatch publishes what a queue confirms, and where more than one process may
// use the database, another call is made while it does.
func (p *pair) dispatch() call {
	lane := p.lane()
	var due []time.Time
	p.db.Snapshot(&p.seen)
	for _, r := range p.seen.Outbox {
		if r.Lane == lane && !r.DueAt.After(p.seen.Now) {
			due = append(due, r.DueAt)
		}
	}
	limit := p.limit(due)
	refused := p.pick(8, "refused")
	answersNothing := p.maybe(10, "answers nothing")
	meanwhile := p.meanwhile()
	name := fmt.Sprintf("dispatch %d of %s, refused %b, meanwhile %s", limit, lane, refused, meanwhile.name)
	return call{name, func(ctx context.Context, s conformance.StorePorts) any {
		var d dispatched
		var err error
		d.Taken, d.Confirmed, err = s.Dispatch(ctx, lane, limit, func(ctx context.Context, refs []message.Ref) []error {
			d.Refs = slices.SortedFunc(slices.Values(refs), compareRefs)
			d.Meanwhile = meanwhile.run(ctx, s)
			if answersNothing {
				return nil
			}
			errs := make([]error, len(refs))
			for i, ref := range refs {
				if at, _ := slices.BinarySearchFunc(d.Refs, ref, compareRefs); at < 3 && refused>>at&1 == 1 {
					errs[i] = message.ErrNotConfirmed
				}
			}
			return errs
		})
		d.Err = class(err)
		return d
	}}
}

func (p *pair) meanwhile() call {
	if len(p.processes) == 1 || !p.maybe(3, "meanwhile") {
		return call{"nothing", func(context.Context, conformance.StorePorts) any { return nil }}
	}
	var possible []kind
	for _, k := range kinds() {
		if !k.restarts && k.name != "dispatch" {
			possible = append(possible, k)
		}
	}
	inner := one(p, weighted(possible), "kind").draw(p)
	if !p.maybe(4, "another relay") {
		return inner
	}
	return call{"another relay, and " + inner.name, func(ctx context.Context, s conformance.StorePorts) any {
		_, _, err := s.Dispatch(ctx, message.LaneNormal, 1000, func(_ context.Context, refs []message.Ref) []error {
			return make([]error, len(refs))
		})
		return []any{class(err), inner.run(ctx, s)}
	}}
}

// limit is one that cuts where the times are apart, so that the order of equal
// ones decides nothing; or more than there is.
func (p *pair) limit(times []time.Time) int {
	slices.SortFunc(times, time.Time.Compare)
	limits := []int{1000, 1000, 1000}
	for i := 1; i < len(times); i++ {
		if times[i].Sub(times[i-1]) > skew {
			limits = append(limits, i)
		}
	}
	return one(p, limits, "limit")
}

func (p *pair) claim() call {
	var bids []message.Bid
	for range 1 + p.pick(4, "bids") {
		bids = append(bids, p.bid(bids))
	}
	return call{fmt.Sprintf("claim %v", bids), func(ctx context.Context, s conformance.StorePorts) any {
		claims, err := s.Claim(ctx, bids)
		if err != nil {
			return class(err)
		}
		return claims
	}}
}

// bid is mostly for the newest number of a delivery: copies of the broker are
// many, and most of them stale.
func (p *pair) bid(before []message.Bid) message.Bid {
	b := message.Bid{Redelivered: p.pick(2, "redelivered") == 1}
	refs := p.copies
	p.db.Snapshot(&p.seen)
	if len(p.seen.Deliveries) > 0 && !p.maybe(4, "any copy") {
		refs = nil
		for _, d := range p.seen.Deliveries {
			refs = append(refs, message.Ref{Key: d.Key, Dispatch: d.Dispatch})
		}
	}
	switch {
	case len(before) > 0 && p.maybe(4, "twin"):
		b.Ref = one(p, before, "of").Ref
	case len(refs) > 0:
		b.Ref = one(p, refs, "copy")
	default:
		b.MessageID = uuid.New()
	}
	switch p.pick(16, "stray") {
	case 0:
		b.N = 7
	case 1:
		b.Dispatch++
	case 2:
		b.Dispatch--
	}
	return b
}

// holders are most often those whose claim stands, and some that have lost it.
func (p *pair) holders(most int) []message.Held {
	p.db.Snapshot(&p.seen)
	var standing, list []message.Held
	for _, d := range p.seen.Deliveries {
		if d.Status == message.StatusSending {
			standing = append(standing, message.Held{Key: d.Key, Claim: d.Claim})
		}
	}
	for range most - p.pick(most+1, "fewer") {
		from := p.held
		if len(standing) > 0 && !p.maybe(4, "any holder") {
			from = standing
		}
		if len(from) > 0 {
			list = append(list, one(p, from, "claim"))
		}
	}
	return list
}

func (p *pair) renew() call {
	held := p.holders(3)
	return call{fmt.Sprintf("renew %v", held), func(ctx context.Context, s conformance.StorePorts) any {
		ok, err := s.Renew(ctx, held)
		return []any{ok, class(err)}
	}}
}

func (p *pair) mark() call {
	held := p.holders(3)
	return call{fmt.Sprintf("mark %v", held), func(ctx context.Context, s conformance.StorePorts) any {
		ok, err := s.Mark(ctx, held)
		return []any{ok, class(err)}
	}}
}

func (p *pair) record() call {
	var outcomes []message.Outcome
	for _, h := range p.holders(3) {
		outcomes = append(outcomes, p.outcome(h))
	}
	return call{fmt.Sprintf("record %+v", outcomes), func(ctx context.Context, s conformance.StorePorts) any {
		var classes []string
		for _, err := range s.Record(ctx, outcomes) {
			classes = append(classes, class(err))
		}
		return classes
	}}
}

func (p *pair) outcome(h message.Held) message.Outcome {
	o := message.Outcome{Held: h, Kind: one(p, []message.OutcomeKind{
		message.OutcomeSent, message.OutcomeRetry, message.OutcomeRetry, message.OutcomeFailed,
		message.OutcomeUnknown, message.OutcomeUnknown, message.OutcomeReleased,
	}, "outcome")}
	o.Reason = one(p, []message.Reason{"", message.ReasonPolicy}, "reason")
	o.After = time.Duration(p.pick(3, "after")) * part
	o.Exhausted = p.maybe(6, "exhausted")
	o.NoDot = o.Kind == message.OutcomeReleased && p.maybe(2, "no dot")
	o.Attempt = message.Attempt{RelayHost: "mx.example.com", Code: 250, Enhanced: "2.0.0", Detail: "ok \x00\xff", RemoteID: "4ABC\x00"}
	if p.pick(2, "timed") == 1 {
		o.Attempt.StartedAt, o.Attempt.FinishedAt = p.clock.Now().Add(-grid), p.clock.Now()
		o.Attempt.WorkerID = p.processes[0].ID
	}
	return o
}

func compareRefs(a, b message.Ref) int {
	return cmp.Or(bytes.Compare(a.MessageID[:], b.MessageID[:]), cmp.Compare(a.N, b.N), cmp.Compare(a.Dispatch, b.Dispatch))
}

func compareDeliveries(a, b message.Delivery) int {
	return compareRefs(message.Ref{Key: a.Key}, message.Ref{Key: b.Key})
}

func compareAttempts(a, b memory.AttemptRow) int {
	return cmp.Or(bytes.Compare(a.MessageID[:], b.MessageID[:]), cmp.Compare(a.N, b.N), cmp.Compare(a.Claim, b.Claim))
}

func compareOutbox(a, b memory.OutboxRow) int { return compareRefs(a.Ref, b.Ref) }

func compareIdempotency(a, b memory.IdempotencyRow) int {
	return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Key, b.Key))
}
