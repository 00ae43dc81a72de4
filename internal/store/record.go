package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/postrider/postrider/internal/message"
)

// Record writes how tries ended, with their attempts. A write that its fence
// refuses is no error: the delivery has gone on without this holder.
func (s *Store) Record(ctx context.Context, outcomes []message.Outcome) []error {
	return each(ctx, s, "record", outcomes, func(ctx context.Context, t *txn, outcomes []message.Outcome) error {
		keys := keysOf(outcomes, func(o message.Outcome) message.Key { return o.Key })
		if distinct(keys) {
			return t.record(ctx, keys, outcomes)
		}
		if err := t.run(ctx, t.lock(keys)...); err != nil {
			return err
		}
		for i := range outcomes { // two holders of one delivery: one after the other
			if err := t.recordMore(ctx, outcomes[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

func distinct(keys []message.Key) bool {
	seen := make(map[message.Key]bool, len(keys))
	for _, k := range keys {
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// record writes outcomes of distinct deliveries and commits. Where nothing goes
// back to the outbox, no statement needs another's answer.
func (t *txn) record(ctx context.Context, keys []message.Key, outcomes []message.Outcome) error {
	var queued outboxRows
	steps := t.steps(outcomes, &queued)
	if len(steps) > 1 { // each goes through its own list
		steps = append(t.lock(keys), steps...)
	}
	if !mayQueue(outcomes) {
		return t.last(ctx, append(steps, t.history(outcomes)...)...)
	}
	if err := t.run(ctx, steps...); err != nil {
		return err
	}
	if anyDueNow(outcomes) {
		t.rings(queued)
	}
	return t.last(ctx, append(t.history(outcomes), t.toInsert(queued)...)...)
}

// recordMore is record within a transaction that goes on.
func (t *txn) recordMore(ctx context.Context, outcomes []message.Outcome) error {
	var queued outboxRows
	if err := t.run(ctx, t.steps(outcomes, &queued)...); err != nil {
		return err
	}
	if anyDueNow(outcomes) {
		t.rings(queued)
	}
	return t.run(ctx, append(t.history(outcomes), t.toInsert(queued)...)...)
}

// steps are one statement for each kind of step that occurs.
func (t *txn) steps(outcomes []message.Outcome, queued *outboxRows) []command {
	lists := map[ending]*list{}
	for i := range outcomes {
		o := &outcomes[i]
		for _, e := range endingsOf(o) {
			if lists[e] == nil {
				lists[e] = &list{columns: outcomeValues}
			}
			lists[e].rows = append(lists[e].rows, outcomeRow(o))
		}
	}
	var steps []command
	for e := ending(0); e < endings; e++ {
		if lists[e] != nil {
			steps = append(steps, t.with(inOrder(*lists[e]), t.endingStatement(e), e.scan(queued))...)
		}
	}
	return steps
}

// mayQueue reports whether an outcome may send its delivery back to the outbox.
func mayQueue(outcomes []message.Outcome) bool {
	return slices.ContainsFunc(outcomes, func(o message.Outcome) bool {
		return slices.ContainsFunc(endingsOf(&o), ending.queues)
	})
}

func anyDueNow(outcomes []message.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].After <= 0 {
			return true
		}
	}
	return false
}

// ending is a statement that records an outcome. An unknown outcome takes two
// of them, and the row decides which of the two it matches.
type ending int

const (
	endSent ending = iota
	endFailed
	endReleased
	endUnknown   // nothing is resent by itself any more
	endExhausted // a try is charged and none is left
	endRetry     // a try is charged and the next is planned
	endings
)

// queues reports whether the step goes →OUTBOX.
func (e ending) queues() bool { return e == endReleased || e == endRetry }

// scan reads what the step returns: nothing, unless it goes →OUTBOX.
func (e ending) scan(queued *outboxRows) func(row) error {
	if e.queues() {
		return queued.scan
	}
	return nil
}

func endingsOf(o *message.Outcome) []ending {
	charged := endRetry
	if o.Exhausted {
		charged = endExhausted
	}
	switch o.Kind {
	case message.OutcomeSent:
		return []ending{endSent}
	case message.OutcomeFailed:
		return []ending{endFailed}
	case message.OutcomeReleased:
		return []ending{endReleased}
	case message.OutcomeUnknown:
		return []ending{endUnknown, charged}
	default:
		return []ending{charged}
	}
}

var outcomeValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vclaim", kindInt}, {"vafter", kindInt},
	{"vreason", kindText}, {"vremote", kindText}, {"vunknown", kindInt}, {"vnodot", kindInt},
}

func outcomeRow(o *message.Outcome) []any {
	unknown, noDot := 0, 0
	if o.Kind == message.OutcomeUnknown {
		unknown = 1
	}
	if o.NoDot {
		noDot = 1
	}
	return []any{
		o.MessageID, o.N, o.Held.Claim, o.After.Milliseconds(),
		cmp.Or(o.Reason, message.ReasonRejected), clean(o.Attempt.RemoteID, remoteIDLimit), unknown, noDot,
	}
}

// endingStatement writes one step. Those that go →OUTBOX return what
// insertOutbox needs; the others return nothing.
func (t *txn) endingStatement(e ending) string {
	const charge = `attempts=attempts+1, interrupted=0, unknown_outcomes=unknown_outcomes+vunknown*` + newUnknown + `, `
	charged := fenced + ` AND NOT (vunknown=1 AND ` + noMoreResends() + `)`
	set, where, more := "", "", ""
	switch e {
	case endSent: // a 250 is a fact, whoever holds the row by now
		set, where = t.ended(`'sent'`, `''`)+`, remote_id=vremote`, `message_id=vid AND n=vn AND status<>'sent'`
	case endFailed:
		set, where = t.ended(`'failed'`, `vreason`), fenced
	case endUnknown:
		set, where = t.ended(`'unknown'`, `''`)+`, unknown_outcomes=unknown_outcomes+`+newUnknown, fenced+` AND `+noMoreResends()
	case endExhausted:
		set, where = charge+t.ended(`'failed'`, `'retries_exhausted'`), charged
	case endReleased:
		set, where, more = t.toOutbox(t.clock()+`+vafter`), held+` AND (phase=1 OR vnodot=1)`, ` RETURNING `+outboxColumns
	case endRetry:
		set, where, more = charge+t.toOutbox(t.clock()+`+vafter`), charged, ` RETURNING `+outboxColumns
	}
	return `UPDATE deliveries SET ` + set + ` FROM v WHERE ` + where + more
}
