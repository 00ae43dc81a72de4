package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Email reads one message of the tenant with all that happened to it. One that
// the tenant does not have is message.ErrNotFound.
func (s *Store) Email(ctx context.Context, tenant int64, id uuid.UUID) (message.View, error) {
	var view message.View
	err := s.snapshot(ctx, "read a message", func(ctx context.Context, t *txn) (err error) {
		if view, err = t.emailOf(ctx, tenant, id); err != nil {
			return err
		}
		byID := map[uuid.UUID]*message.Message{id: &view.Message}
		if err := t.attachments(ctx, byID, false); err != nil {
			return err
		}
		found, err := t.deliveriesOf(ctx, tenant, []uuid.UUID{id})
		if err != nil {
			return err
		}
		view.Deliveries = found[id]
		view.Attempts, err = t.attemptsOf(ctx, id)
		return err
	})
	return view, err
}

func (t *txn) emailOf(ctx context.Context, tenant int64, id uuid.UUID) (message.View, error) {
	var h headRow
	var now int64
	var content string
	err := t.row(ctx, `SELECT `+headColumns+`, content, `+t.clock()+` FROM messages WHERE tenant_id=$1 AND id=$2`,
		[]any{tenant, id}, append(h.dest(), &content, &now)...)
	if errors.Is(err, sql.ErrNoRows) {
		return message.View{}, message.ErrNotFound
	}
	if err != nil {
		return message.View{}, err
	}
	m, err := h.message()
	if err != nil {
		return message.View{}, err
	}
	if err := json.Unmarshal([]byte(content), &m.Content); err != nil {
		return message.View{}, fmt.Errorf("content of message %s: %w", id, err)
	}
	return message.View{Message: m, Now: fromMillis(now)}, nil
}

// deliveriesOf reads the deliveries of messages, in the order of their
// recipients.
func (t *txn) deliveriesOf(ctx context.Context, tenant int64, ids []uuid.UUID) (map[uuid.UUID][]message.Delivery, error) {
	l := list{columns: []column{{"vid", kindUUID}}, fixed: []any{tenant}}
	for _, id := range ids {
		l.rows = append(l.rows, []any{id})
	}
	found := make(map[uuid.UUID][]message.Delivery, len(ids))
	err := t.each(ctx, l, `SELECT `+deliveryColumns+` FROM v CROSS JOIN deliveries
		WHERE message_id=vid AND tenant_id=$1 ORDER BY message_id, n`, func(rows row) error {
		d, err := scanDelivery(rows)
		found[d.MessageID] = append(found[d.MessageID], d)
		return err
	})
	return found, err
}
