package store

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	// lostAfter is how long a copy must have been with the broker before any
	// evidence can count against it, in milliseconds.
	lostAfter = 20_000
	// keysPerSweep bounds the idempotency keys forgotten at once.
	keysPerSweep = 5000
)

// SweepLeases takes back up to limit deliveries whose lease is over, and spreads
// those that go back to the outbox over the given time.
func (s *Store) SweepLeases(ctx context.Context, limit int, spread time.Duration) (message.Swept, error) {
	var swept message.Swept
	err := s.tx(ctx, "sweep leases", func(ctx context.Context, t *txn) (err error) {
		swept, err = t.sweepHolders(ctx, `status='sending' AND lease_until<`+t.clock(), limit, spread)
		return err
	})
	return swept, err
}

// holder is a claim whose holder has gone.
type holder struct {
	message.Held
	phase  message.Phase
	worker uuid.UUID
	lease  int64
}

// sweepHolders ends the claims that the guard selects, as their phase says.
func (t *txn) sweepHolders(ctx context.Context, guard string, limit int, spread time.Duration) (message.Swept, error) {
	holders, err := t.findHolders(ctx, guard, limit)
	if err != nil || len(holders) == 0 {
		return message.Swept{}, err
	}
	l := list{columns: append(heldValues[:len(heldValues):len(heldValues)], column{"vafter", kindInt})}
	for _, h := range holders {
		l.rows = append(l.rows, []any{h.MessageID, h.N, h.Claim, rand.Int64N(max(spread.Milliseconds(), 1))})
	}
	mine := held + ` AND ` + guard
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
		scan := func(*sql.Rows) error { *step.count++; return nil }
		if step.count == &swept.Requeued {
			scan = func(rows *sql.Rows) error { *step.count++; return queued.scan(rows) }
		}
		err := t.each(ctx, l, `UPDATE deliveries SET `+step.set+` FROM v WHERE `+mine+` AND `+step.where+
			` RETURNING `+outboxColumns, scan)
		if err != nil {
			return swept, err
		}
	}
	if err := t.writeHistory(ctx, holders); err != nil {
		return swept, err
	}
	t.due = t.due || len(queued.rows) > 0
	return swept, t.insertOutbox(ctx, queued)
}

// findHolders locks what a sweep is about. Rows in another's hands are being
// dealt with.
func (t *txn) findHolders(ctx context.Context, guard string, limit int) ([]holder, error) {
	var holders []holder
	err := t.rows(ctx, `
		SELECT message_id, n, claim, phase, worker_id, lease_until FROM deliveries
		WHERE `+guard+` ORDER BY lease_until LIMIT $1`+t.skipLocked, []any{limit}, func(rows *sql.Rows) error {
		var h holder
		var worker uuid.NullUUID
		err := rows.Scan(&h.MessageID, &h.N, &h.Claim, &h.phase, &worker, &h.lease)
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
			N: h.N, Claim: h.Claim, WorkerID: h.worker, StartedAt: fromMillis(h.lease - t.lease),
			Outcome: message.OutcomeInterrupted, Detail: "the worker went away before the final dot: nothing was sent",
		}
		if h.phase == message.PhaseData {
			a.Outcome, a.Detail = message.OutcomeUnknown, "the worker went away after its mark: the mail may have been sent"
		}
		rows = append(rows, attemptRow(h.MessageID, &a))
	}
	return t.writeAttempts(ctx, rows, `DO NOTHING`)
}

// SweepLost publishes again what the broker evidently lost: queued, published
// more than 20 s ago, and published before emptySince or 20 s before something
// of the lane that was already claimed.
func (s *Store) SweepLost(ctx context.Context, lane message.Lane, emptySince time.Time, limit int) (int, error) {
	var n int
	err := s.tx(ctx, "sweep lost copies", func(ctx context.Context, t *txn) error {
		n = 0
		before, err := t.overtaken(ctx, lane)
		if before = max(before, unixMillis(emptySince)); err != nil || before == 0 {
			return err
		}
		n, err = t.republish(ctx, `lane=$1 AND status='queued' AND published_at IS NOT NULL AND published_at<$2
			AND published_at<`+t.clock()+`-$3`, []any{lane, before, lostAfter}, limit)
		return err
	})
	return n, err
}

// overtaken is the time before which a copy of the lane has been overtaken; 0:
// nothing was claimed yet.
func (t *txn) overtaken(ctx context.Context, lane message.Lane) (int64, error) {
	var mark int64
	err := t.row(ctx, `SELECT COALESCE(MAX(claimed_mark), 0) FROM lanes WHERE lane=$1`, []any{lane}, &mark)
	return max(mark-lostAfter, 0), err
}

// republish moves up to limit queued deliveries that the guard selects to the
// outbox, due now.
func (t *txn) republish(ctx context.Context, guard string, args []any, limit int) (int, error) {
	keys, err := t.findKeys(ctx, guard+` ORDER BY published_at`, args, limit)
	if err != nil {
		return 0, err
	}
	var queued outboxRows
	err = t.each(ctx, list{columns: keyColumns, fixed: args, rows: keyRows(keys)}, `
		UPDATE deliveries SET `+t.toOutbox(t.clock())+` FROM v
		WHERE message_id=vid AND n=vn AND `+guard+` RETURNING `+outboxColumns, queued.scan)
	if err != nil {
		return 0, err
	}
	t.due = t.due || len(queued.rows) > 0
	return len(queued.rows), t.insertOutbox(ctx, queued)
}

// findKeys locks up to limit deliveries, passing over those others hold.
func (t *txn) findKeys(ctx context.Context, guard string, args []any, limit int) ([]message.Key, error) {
	var keys []message.Key
	query := `SELECT message_id, n FROM deliveries WHERE ` + guard + ` LIMIT ` + ordinal(len(args)+1) + t.skipLocked
	err := t.rows(ctx, query, append(args[:len(args):len(args)], limit), func(rows *sql.Rows) error {
		var k message.Key
		err := rows.Scan(&k.MessageID, &k.N)
		keys = append(keys, k)
		return err
	})
	return keys, err
}

// SweepExpired fails up to limit queued deliveries past their time, returns how
// many those were, and forgets idempotency keys past theirs.
func (s *Store) SweepExpired(ctx context.Context, limit int) (int, error) {
	if err := s.forgetKeys(ctx); err != nil {
		return 0, err
	}
	var expired []message.Key
	err := s.tx(ctx, "expire", func(ctx context.Context, t *txn) error {
		expired = nil
		guard := `status='queued' AND expires_at IS NOT NULL AND ` + t.expired()
		keys, err := t.findKeys(ctx, guard+` ORDER BY expires_at`, nil, limit)
		if err != nil {
			return err
		}
		l := list{columns: keyColumns, rows: keyRows(keys)}
		err = t.each(ctx, l, `UPDATE deliveries SET `+t.ended(`'failed'`, `'expired'`)+` FROM v
			WHERE message_id=vid AND n=vn AND `+guard+` RETURNING message_id, n`, func(rows *sql.Rows) error {
			var k message.Key
			err := rows.Scan(&k.MessageID, &k.N)
			expired = append(expired, k)
			return err
		})
		if err != nil {
			return err
		}
		return t.dropOutbox(ctx, expired)
	})
	return len(expired), err
}

func (s *Store) forgetKeys(ctx context.Context) error {
	return s.single(ctx, "forget idempotency keys", func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `
			DELETE FROM idempotency WHERE (tenant_id, key) IN (
				SELECT tenant_id, key FROM idempotency WHERE expires_at<=`+t.clock()+` LIMIT $1`+t.skipLocked+`)`, keysPerSweep)
		return err
	})
}
