package store

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// publishLimit is how long a relay may hang on its rows. The database ends its
// transaction then, and others go on with them.
const publishLimit = 10 * time.Second

// outboxInto are the columns of a row of the outbox.
const outboxInto = `message_id, n, dispatch, tenant_id, channel, lane, due_at`

// outboxColumns are what they are taken from, and what a step that went →OUTBOX
// returns.
const outboxColumns = `message_id, n, dispatch, tenant_id, channel, lane, next_attempt_at`

var outboxValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vdispatch", kindInt}, {"vtenant", kindInt},
	{"vchannel", kindText}, {"vlane", kindText}, {"vdue", kindInt},
}

// outboxRows collects what a step returned for the outbox.
type outboxRows struct{ rows [][]any }

func (o *outboxRows) scan(rows row) error {
	var ref message.Ref
	var tenant, due int64
	var channel, lane string
	err := rows.Scan(&ref.MessageID, &ref.N, &ref.Dispatch, &tenant, &channel, &lane, &due)
	o.rows = append(o.rows, []any{ref.MessageID, ref.N, ref.Dispatch, tenant, channel, lane, due})
	return err
}

func (t *txn) insertOutbox(ctx context.Context, o outboxRows) error {
	return t.run(ctx, t.toInsert(o)...)
}

func (t *txn) toInsert(o outboxRows) []command {
	return t.with(list{columns: outboxValues, rows: o.rows}, `
		INSERT INTO outbox (`+outboxInto+`)
		SELECT vid, vn, vdispatch, vtenant, vchannel, vlane, vdue FROM v WHERE vid IS NOT NULL`, nil)
}

// dropOutbox deletes the rows of one message that lead nowhere any more. Those
// a relay holds are left to it: it takes outbox before deliveries, and waiting
// for it here could be for ever. Their copies are stale.
func (t *txn) dropOutbox(ctx context.Context, keys []message.Key) error {
	l := list{columns: keyColumns, rows: keyRows(keys)}
	return t.each(ctx, l, `
		DELETE FROM outbox WHERE (message_id, n, dispatch) IN (
			SELECT o.message_id, o.n, o.dispatch FROM v CROSS JOIN outbox o CROSS JOIN deliveries d
			WHERE o.message_id=vid AND o.n=vn AND d.message_id=vid AND d.n=vn AND (d.status<>'queued' OR d.dispatch<>o.dispatch)`+t.skipLockedOf("o")+`)`, nil)
}

// skipLockedOf locks the rows of one table of a join only.
func (d *dialect) skipLockedOf(table string) string {
	if d.skipLocked == "" {
		return ""
	}
	return " FOR UPDATE OF " + table + " SKIP LOCKED"
}

// Dispatch takes up to limit due rows of the lane, oldest first, hands them to
// publish inside the transaction, and deletes those it confirmed. It returns
// how many rows it took and how many were confirmed; with an error, none was
// given away, although copies may have been published.
//
// When ctx ends, publish is told, and what it has confirmed is still settled.
func (s *Store) Dispatch(ctx context.Context, lane message.Lane, limit int,
	publish func(context.Context, []message.Ref) []error,
) (taken, confirmed int, err error) {
	if ctx.Err() != nil {
		return 0, 0, s.fail("dispatch", ctx.Err())
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit+opLimit)
	defer cancel()
	err = s.once(whole, s.writer, false, func(whole context.Context, t *txn) error {
		refs, err := t.takeDue(whole, lane, limit)
		if err != nil || len(refs) == 0 {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, publishLimit)
		defer cancel()
		done := confirmedOf(refs, publish(limited, refs))
		taken, confirmed = len(refs), len(done)
		return t.settle(whole, done)
	})
	if err != nil {
		return taken, 0, s.fail("dispatch", err)
	}
	return taken, confirmed, nil
}

func confirmedOf(refs []message.Ref, errs []error) []message.Ref {
	var done []message.Ref
	for i, err := range errs {
		if err == nil && i < len(refs) {
			done = append(done, refs[i])
		}
	}
	return done
}

func (t *txn) takeDue(ctx context.Context, lane message.Lane, limit int) ([]message.Ref, error) {
	var refs []message.Ref
	err := t.run(ctx, append(guard(t.relayGuard), command{query: `
		SELECT message_id, n, dispatch FROM outbox
		WHERE channel=$1 AND lane=$2 AND due_at<=` + t.clock() + `
		ORDER BY due_at, message_id LIMIT $3` + t.skipLocked,
		args: []any{message.ChannelEmail, lane, limit}, scan: func(rows row) error {
			var ref message.Ref
			err := rows.Scan(&ref.MessageID, &ref.N, &ref.Dispatch)
			refs = append(refs, ref)
			return err
		}})...)
	return refs, err
}

// settle gives confirmed copies into the broker's custody. A delivery that has
// gone on since, claimed or rescheduled, keeps what it says.
func (t *txn) settle(ctx context.Context, refs []message.Ref) error {
	l := inOrder(refList(refs))
	return t.last(ctx, slices.Concat(
		t.with(l, `DELETE FROM outbox WHERE (message_id, n, dispatch) IN (SELECT vid, vn, vdispatch FROM v)`, nil),
		t.with(l, `UPDATE deliveries SET published_at=`+t.clock()+` FROM v WHERE `+queuedAs, nil))...)
}
