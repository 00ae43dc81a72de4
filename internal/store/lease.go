package store

import (
	"context"
	"database/sql"

	"github.com/postrider/postrider/internal/message"
)

var heldValues = []column{{"vid", kindUUID}, {"vn", kindInt}, {"vclaim", kindInt}}

// Renew prolongs leases and publishes what this process keeps per lane. False
// means that the claim is no longer the holder's.
func (s *Store) Renew(ctx context.Context, claims []message.Held) ([]bool, error) {
	renewed, err := s.hold(ctx, "renew", claims, func(t *txn) string {
		return `SET lease_until=` + t.clock() + `+$1 FROM v WHERE ` + held
	})
	if err == nil {
		s.flushMarks(ctx)
	}
	return renewed, err
}

// Mark is the holder's last step before the final dot. False means refused.
func (s *Store) Mark(ctx context.Context, claims []message.Held) ([]bool, error) {
	return s.hold(ctx, "mark", claims, func(t *txn) string {
		return `SET phase=2, lease_until=` + t.clock() + `+$1 FROM v WHERE ` + held + ` AND ` + t.live()
	})
}

// hold runs an update that the holder alone may make and says which it made.
func (s *Store) hold(ctx context.Context, op string, claims []message.Held, set func(*txn) string) ([]bool, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	run := s.tx
	if len(claims) == 1 {
		run = s.single
	}
	var done map[message.Held]bool
	err := run(ctx, op, func(ctx context.Context, t *txn) error {
		done = make(map[message.Held]bool, len(claims))
		if err := t.lock(ctx, keysOf(claims, func(h message.Held) message.Key { return h.Key })); err != nil {
			return err
		}
		l := list{columns: heldValues, fixed: []any{t.lease}}
		for _, h := range claims {
			l.rows = append(l.rows, []any{h.MessageID, h.N, h.Claim})
		}
		return t.each(ctx, l, `UPDATE deliveries `+set(t)+` RETURNING message_id, n, claim`, func(rows *sql.Rows) error {
			var h message.Held
			err := rows.Scan(&h.MessageID, &h.N, &h.Claim)
			done[h] = true
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	answers := make([]bool, len(claims))
	for i, h := range claims {
		answers[i] = done[h]
	}
	return answers, nil
}
