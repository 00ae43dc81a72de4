package store

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// SweepLeases takes back up to limit deliveries whose lease is over, now and as
// of the given time, and spreads those that go back to the outbox.
func (s *Store) SweepLeases(ctx context.Context, asOf time.Time, limit int, spread time.Duration) (message.Swept, error) {
	var swept message.Swept
	err := s.tx(ctx, "sweep leases", func(ctx context.Context, t *txn) (err error) {
		if err := t.run(ctx, guard(t.sweepGuard)...); err != nil {
			return err
		}
		swept, err = t.sweepHolders(ctx, t.leaseOver(), limit, spread, unixMillis(asOf))
		return err
	})
	return swept, err
}

// leaseOver is message.Delivery.LeaseOver by two clocks: that of now and $3.
func (t *txn) leaseOver() string {
	future := `+` + strconv.FormatInt(2*message.LongestLease.Milliseconds(), 10)
	return `status='sending' AND (lease_until<` + t.clock() + ` AND lease_until<$3
		OR lease_until>` + t.clock() + future + ` AND lease_until>$3` + future + `)`
}

// holder is a claim whose holder has gone.
type holder struct {
	message.Held
	phase  message.Phase
	worker uuid.UUID
	begun  int64 // 0: nobody knows
}

// sweepHolders ends the claims that the guard selects, as their phase says. The
// guard's own parameters begin with $3.
func (t *txn) sweepHolders(ctx context.Context, guard string, limit int, spread time.Duration, args ...any) (message.Swept, error) {
	holders, err := t.findHolders(ctx, guard, limit, args)
	if err != nil || len(holders) == 0 {
		return message.Swept{}, err
	}
	l := list{columns: append(heldValues[:len(heldValues):len(heldValues)], column{"vafter", kindInt})}
	for _, h := range holders {
		l.rows = append(l.rows, []any{h.MessageID, h.N, h.Claim, rand.Int64N(max(spread.Milliseconds(), 1))})
	}
	var swept message.Swept
	var queued outboxRows
	steps := []struct {
		set, where string
		count      *int
	}{
		{
			t.ended(`'unknown'`, `''`) + `, unknown_outcomes=unknown_outcomes+1`,
			`phase=2 AND ` + noMoreResends(), &swept.Unknown,
		},
		{t.ended(`'failed'`, `'poison'`) + `, interrupted=interrupted+1`, `phase=1 AND ` + poisonous(), &swept.Poison},
		{
			t.toOutbox(t.clock()+`+vafter`) + `, interrupted=interrupted + CASE WHEN phase=1 THEN 1 ELSE 0 END,
				unknown_outcomes=unknown_outcomes + CASE WHEN phase=2 THEN 1 ELSE 0 END`,
			`TRUE`, &swept.Requeued,
		},
	}
	for _, step := range steps {
		scan := func(row) error { *step.count++; return nil }
		if step.count == &swept.Requeued {
			scan = func(rows row) error { *step.count++; return queued.scan(rows) }
		}
		err := t.each(ctx, l, `UPDATE deliveries SET `+step.set+` FROM v WHERE `+held+` AND `+step.where+
			` RETURNING `+outboxColumns, scan)
		if err != nil {
			return swept, err
		}
	}
	if err := t.writeHistory(ctx, holders); err != nil {
		return swept, err
	}
	t.rings(queued)
	return swept, t.insertOutbox(ctx, queued)
}

// findHolders locks what a sweep is about. Rows in another's hands are being
// dealt with.
func (t *txn) findHolders(ctx context.Context, guard string, limit int, args []any) ([]holder, error) {
	var holders []holder
	err := t.rows(ctx, `
		SELECT message_id, n, claim, phase, worker_id, CASE WHEN lease_until-$2>`+t.clock()+` THEN 0 ELSE lease_until-$2 END FROM deliveries
		WHERE `+guard+` ORDER BY lease_until, message_id, n LIMIT $1`+t.skipLocked, append([]any{limit, t.lease}, args...), func(rows row) error {
		var h holder
		var worker uuid.NullUUID
		err := rows.Scan(&h.MessageID, &h.N, &h.Claim, &h.phase, &worker, &h.begun)
		h.worker = worker.UUID
		holders = append(holders, h)
		return err
	})
	return holders, err
}

// writeHistory tells of tries whose holders could not.
func (t *txn) writeHistory(ctx context.Context, holders []holder) error {
	var rows [][]any
	for _, h := range holders {
		a := message.Attempt{
			N: h.N, Claim: h.Claim, WorkerID: h.worker, StartedAt: fromMillis(h.begun),
			Outcome: message.OutcomeInterrupted, Detail: "the worker went away before the final dot: nothing was sent",
		}
		if h.phase == message.PhaseData {
			a.Outcome, a.Detail = message.OutcomeUnknown, "the worker went away after its mark: the mail may have been sent"
		}
		rows = append(rows, attemptRow(h.MessageID, &a))
	}
	return t.run(ctx, t.writeAttempts(rows, `DO NOTHING`)...)
}
