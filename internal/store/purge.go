package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

var messageColumn = []column{{"vid", kindUUID}}

func messageList(ids []uuid.UUID) list {
	l := list{columns: messageColumn}
	for _, id := range ids {
		l.rows = append(l.rows, []any{id})
	}
	return l
}

// Purge looks at up to limit messages, in the order of their ids from the one behind
// after, and deletes those that are over for as long as keep: each with its deliveries,
// which have all ended by then, their attempts, and its attachments. Blobs that are kept
// apart go on the list of loose ones, for whose deletion see blobs.Keeper. It may run
// beside itself.
func (s *Store) Purge(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error) {
	var p message.Purged
	err := s.tx(ctx, "purge messages", func(ctx context.Context, t *txn) error {
		p = message.Purged{}
		seen, err := t.olderThan(ctx, after, keep, limit)
		if err != nil || len(seen) == 0 {
			return err
		}
		if len(seen) == limit {
			p.Last = seen[limit-1]
		}
		over, err := t.lockOver(ctx, seen, keep)
		if err != nil || len(over) == 0 {
			return err
		}
		p.Messages = len(over)
		return t.last(ctx, t.toDelete(over)...)
	})
	if err != nil {
		return message.Purged{}, err
	}
	return p, nil
}

// olderThan goes by the time in the ids. Whether a message is over as long, nobody
// knows yet.
func (t *txn) olderThan(ctx context.Context, after uuid.UUID, keep time.Duration, limit int) ([]uuid.UUID, error) {
	before, err := t.before(ctx, keep)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	err = t.rows(ctx, `SELECT id FROM messages WHERE id>$1 AND id<$2 ORDER BY id LIMIT $3`,
		[]any{after, message.FirstID(before), limit}, func(rows row) error {
			var id uuid.UUID
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
	return ids, err
}

// before is the time that is keep ago.
func (t *txn) before(ctx context.Context, keep time.Duration) (time.Time, error) {
	var now int64
	err := t.row(ctx, `SELECT `+t.clock(), nil, &now)
	return fromMillis(now).Add(-keep), err
}

// lockOver locks the deliveries of the messages, in the order of all who lock several,
// and returns the messages of which each has ended for as long as keep: one that
// somebody has sent again meanwhile has not.
func (t *txn) lockOver(ctx context.Context, ids []uuid.UUID, keep time.Duration) ([]uuid.UUID, error) {
	locking := ""
	if t.lockRows != "" {
		locking = t.lockRows + ` OF deliveries`
	}
	l := messageList(ids)
	l.fixed = []any{keep.Milliseconds()}
	var over []uuid.UUID
	open := map[uuid.UUID]bool{}
	err := t.each(ctx, l, `
		SELECT message_id, CASE WHEN finished_at<=`+t.clock()+`-$1 THEN 1 ELSE 0 END
		FROM v CROSS JOIN deliveries WHERE message_id=vid ORDER BY message_id, n`+locking, func(rows row) error {
		var id uuid.UUID
		var ended int
		err := rows.Scan(&id, &ended)
		open[id] = open[id] || ended == 0
		return err
	})
	for _, id := range ids {
		if still, there := open[id]; there && !still {
			over = append(over, id)
		}
	}
	return over, err
}

// toDelete are the commands that delete messages with all that belongs to them.
func (t *txn) toDelete(ids []uuid.UUID) []command {
	l := messageList(ids)
	commands := t.with(l, `
		INSERT INTO loose_blobs (id, tenant_id, place, size, doomed, since)
		SELECT b.id, b.tenant_id, b.place, b.size, 1, 0 FROM v CROSS JOIN attachments a CROSS JOIN blobs b
		WHERE a.message_id=vid AND b.id=a.blob_id AND b.place<>'`+placeRow+`'`, nil)
	for _, statement := range []string{
		`DELETE FROM blobs WHERE id IN (SELECT a.blob_id FROM v CROSS JOIN attachments a WHERE a.message_id=vid)`,
		`DELETE FROM attachments WHERE message_id IN (SELECT vid FROM v)`,
		`DELETE FROM attempts WHERE message_id IN (SELECT vid FROM v)`,
		`DELETE FROM deliveries WHERE message_id IN (SELECT vid FROM v)`,
		`DELETE FROM messages WHERE id IN (SELECT vid FROM v)`,
	} {
		commands = append(commands, t.with(l, statement, nil)...)
	}
	return commands
}

// ForgetOld deletes up to limit dead letters that came at least keep ago, and as many
// processes that were last seen then, and returns how many both were. It may run beside
// itself.
func (s *Store) ForgetOld(ctx context.Context, keep time.Duration, limit int) (int, error) {
	var letters, processes int64
	err := s.tx(ctx, "forget dead letters and processes", func(ctx context.Context, t *txn) error {
		before, err := t.before(ctx, keep)
		if err != nil {
			return err
		}
		// The time in the ids, which the hosts write, spares a look at all of them.
		letters, err = t.exec(ctx, `DELETE FROM dead_letters WHERE id IN (
			SELECT id FROM dead_letters WHERE id<$1 AND at<=$2 ORDER BY id LIMIT $3`+t.skipLocked+`)`,
			message.FirstID(before), before.UnixMilli(), limit)
		if err != nil {
			return err
		}
		processes, err = t.exec(ctx, `DELETE FROM workers WHERE id IN (
			SELECT id FROM workers WHERE seen_at<=$1 ORDER BY id LIMIT $2`+t.skipLocked+`)`, before.UnixMilli(), limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(letters + processes), nil
}
