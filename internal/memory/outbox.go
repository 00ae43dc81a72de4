package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// publishLimit is how long a relay may hang on its rows before the database
// ends its transaction.
const publishLimit = 10 * time.Second

// entry is a row of the outbox and the transaction that has locked it, if any.
type entry struct {
	OutboxRow
	held *transaction
}

// transaction is that of a relay which is inside publish.
type transaction struct {
	owner *Store
	epoch int
	until time.Duration // of Config.Elapsed
	over  bool
}

// live reports whether the database still keeps up the transaction.
func (db *Database) live(t *transaction) bool {
	return t != nil && !t.over && !t.owner.gone && t.epoch == db.epoch && db.cfg.Elapsed() < t.until
}

func compareEntries(a, b entry) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), compareKeys(a.Key, b.Key), cmp.Compare(a.Dispatch, b.Dispatch))
}

// enqueue writes the outbox row of a delivery that is to be published.
func (db *Database) enqueue(d *message.Delivery) {
	e := entry{OutboxRow: OutboxRow{
		Ref: message.Ref{Key: d.Key, Dispatch: d.Dispatch}, TenantID: d.TenantID, Channel: d.Channel, Lane: d.Lane, DueAt: d.NextAttemptAt,
	}}
	at, _ := slices.BinarySearchFunc(db.outbox, e, compareEntries)
	db.outbox = slices.Insert(db.outbox, at, e)
}

// drop deletes the rows of a delivery that lead nowhere any more. Those a relay
// holds are left to it: their copies are stale.
func (db *Database) drop(d *message.Delivery) {
	db.outbox = slices.DeleteFunc(db.outbox, func(e entry) bool {
		return e.Key == d.Key && (d.Status != message.StatusQueued || d.Dispatch != e.Dispatch) && !db.live(e.held)
	})
}

// Dispatch takes up to limit due rows of the lane, oldest first, hands them to
// publish, and deletes those it confirmed. While publish runs, nobody else is
// kept waiting: relays pass over the rows, and every other step goes on.
//
// When ctx ends, publish is told, and what it has confirmed is still settled.
// Where publish panics or ends its goroutine, where it takes more than 10 s, and
// after Store.Crash or Database.Restart, nothing is settled and the rows are free
// at once; with an error, copies may have been published all the same.
func (s *Store) Dispatch(ctx context.Context, lane message.Lane, limit int,
	publish func(context.Context, []message.Ref) []error,
) (taken, confirmed int, err error) {
	t, refs, err := s.take(ctx, lane, limit)
	if err != nil || len(refs) == 0 {
		return 0, 0, err
	}
	defer s.release(t)
	errs := publish(ctx, refs)
	confirmed, err = s.settle(t, refs, errs)
	return len(refs), confirmed, err
}

func (s *Store) take(ctx context.Context, lane message.Lane, limit int) (*transaction, []message.Ref, error) {
	if err := s.begin(ctx, "dispatch"); err != nil {
		return nil, nil, err
	}
	db := s.db
	defer db.mu.Unlock()
	now := db.now()
	t := &transaction{owner: s, epoch: db.epoch, until: db.cfg.Elapsed() + publishLimit}
	var refs []message.Ref
	for i := range db.outbox {
		e := &db.outbox[i]
		if e.DueAt.After(now) || len(refs) >= limit {
			break
		}
		if e.Lane == lane && e.Channel == message.ChannelEmail && !db.live(e.held) {
			e.held, refs = t, append(refs, e.Ref)
		}
	}
	return t, refs, nil
}

// release ends the transaction, however publish was left.
func (s *Store) release(t *transaction) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	t.over = true
}

// settle gives confirmed copies into the broker's custody. A delivery that has
// gone on since keeps what it says. Rows keep their order, so that those of the
// transaction are met in the order in which they were taken.
func (s *Store) settle(t *transaction, refs []message.Ref, errs []error) (confirmed int, err error) {
	db := s.db
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.live(t) {
		return 0, unavailable("dispatch", errRolledBack)
	}
	now, n := db.now(), -1
	db.outbox = slices.DeleteFunc(db.outbox, func(e entry) bool {
		if e.held != t {
			return false
		}
		n++
		return n < len(errs) && errs[n] == nil
	})
	for i, ref := range refs {
		if i >= len(errs) || errs[i] != nil {
			continue
		}
		confirmed++
		if d := db.delivery(ref.Key); d != nil {
			*d, _ = d.Published(ref, now)
		}
	}
	return confirmed, nil
}
