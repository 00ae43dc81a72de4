package store

import (
	"context"

	"github.com/postrider/postrider/internal/message"
)

var heldValues = []column{{"vid", kindUUID}, {"vn", kindInt}, {"vclaim", kindInt}}

// Renew prolongs leases and publishes what this process keeps per lane. False
// means that the claim is certainly no longer the holder's. Renewals wait for
// nobody: the leases of a process end together, so one row that a vanished host
// keeps locked must not end them all. A row that is locked is passed over, and
// its claim stands until the transaction that holds it has said otherwise.
func (s *Store) Renew(ctx context.Context, claims []message.Held) ([]bool, error) {
	var stands map[message.Held]bool
	if len(claims) > 0 {
		err := s.tx(ctx, "renew", func(ctx context.Context, t *txn) (err error) {
			stands, err = t.renew(ctx, claims)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	s.flushMarks(ctx)
	return answers(claims, stands), nil
}

// renew returns the claims that stand: those it prolonged and those it passed
// over.
func (t *txn) renew(ctx context.Context, claims []message.Held) (map[message.Held]bool, error) {
	stands := make(map[message.Held]bool, len(claims))
	free, err := t.heldNow(ctx, claims, t.skipLockedOf("deliveries"))
	if err != nil {
		return nil, err
	}
	if err := t.run(ctx, t.hold(free, `lease_until=`+t.clock()+`+$1`, ``, stands)...); err != nil {
		return nil, err
	}
	locked, err := t.heldNow(ctx, without(claims, stands), ``)
	for _, h := range locked {
		stands[h] = true
	}
	return stands, err
}

// heldNow returns those of the claims that are their holder's, as far as is
// committed.
func (t *txn) heldNow(ctx context.Context, claims []message.Held, locking string) ([]message.Held, error) {
	var found []message.Held
	err := t.each(ctx, heldList(claims), `SELECT message_id, n, claim FROM v CROSS JOIN deliveries WHERE `+held+locking,
		func(rows row) error {
			h, err := scanHeld(rows)
			found = append(found, h)
			return err
		})
	return found, err
}

func without(claims []message.Held, some map[message.Held]bool) []message.Held {
	var rest []message.Held
	for _, h := range claims {
		if !some[h] {
			rest = append(rest, h)
		}
	}
	return rest
}

// Mark is the holder's last step before the final dot. False means refused.
func (s *Store) Mark(ctx context.Context, claims []message.Held) ([]bool, error) {
	var done map[message.Held]bool
	err := s.tx(ctx, "mark", func(ctx context.Context, t *txn) error {
		done = make(map[message.Held]bool, len(claims))
		return t.last(ctx, t.hold(claims, `phase=2, lease_until=`+t.clock()+`+$1`, ` AND `+t.live(), done)...)
	})
	if err != nil {
		return nil, err
	}
	return answers(claims, done), nil
}

// hold makes an update that the holder alone may make, and notes where it did.
func (t *txn) hold(claims []message.Held, set, guard string, done map[message.Held]bool) []command {
	l := inOrder(heldList(claims))
	l.fixed = []any{t.lease}
	return t.with(l, `UPDATE deliveries SET `+set+` FROM v WHERE `+held+guard+` RETURNING message_id, n, claim`,
		func(rows row) error {
			h, err := scanHeld(rows)
			done[h] = true
			return err
		})
}

func heldList(claims []message.Held) list {
	l := list{columns: heldValues}
	for _, h := range claims {
		l.rows = append(l.rows, []any{h.MessageID, h.N, h.Claim})
	}
	return l
}

func scanHeld(rows row) (message.Held, error) {
	var h message.Held
	err := rows.Scan(&h.MessageID, &h.N, &h.Claim)
	return h, err
}

func answers(claims []message.Held, yes map[message.Held]bool) []bool {
	list := make([]bool, len(claims))
	for i, h := range claims {
		list[i] = yes[h]
	}
	return list
}
