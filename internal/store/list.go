package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const pageMost = 100

// Emails reads a page of the tenant's messages, newest first, without content,
// attachments and attempts. One call looks at a bounded number of messages; see
// walk. Where it found less than a page among them, the page says where the next
// call goes on.
func (s *Store) Emails(ctx context.Context, filter message.Filter) (message.Page, error) {
	filter.Limit = min(max(filter.Limit, 1), pageMost)
	var page message.Page
	err := s.snapshot(ctx, "list messages", func(ctx context.Context, t *txn) error {
		found, err := t.find(ctx, filter, cmp.Or(s.lookMost, walkMost))
		if err != nil {
			return err
		}
		page = message.Page{HasMore: found.more, Next: found.next}
		if filter.Upwards() {
			slices.Reverse(found.ids)
		}
		page.Views, err = t.views(ctx, filter.TenantID, found.ids)
		return err
	})
	return page, err
}

// shown is the condition under which a delivery shows the status; see
// message.Delivery.Shown.
func (t *txn) shown(status message.Status) (string, bool) {
	const tried = `claim>0`
	later := `status='queued' AND next_attempt_at>` + t.clock()
	switch status {
	case message.StatusSent:
		return `status='sent'`, true
	case message.StatusQueued:
		return `status='queued' AND next_attempt_at<=` + t.clock(), true
	case message.StatusScheduled:
		return later + ` AND NOT ` + tried, true
	case message.StatusDelayed:
		return later + ` AND ` + tried, true
	}
	return "", false
}

// views reads the heads and the deliveries of messages, in the order of ids.
func (t *txn) views(ctx context.Context, tenant int64, ids []uuid.UUID) ([]message.View, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	l := list{columns: []column{{"vid", kindUUID}}, fixed: []any{tenant}}
	for _, id := range ids {
		l.rows = append(l.rows, []any{id})
	}
	heads := make(map[uuid.UUID]message.View, len(ids))
	err := t.each(ctx, l, `SELECT `+headColumns+`, `+t.clock()+` FROM v CROSS JOIN messages WHERE id=vid AND tenant_id=$1`,
		func(rows row) error {
			var h headRow
			var now int64
			if err := rows.Scan(append(h.dest(), &now)...); err != nil {
				return err
			}
			m, err := h.message()
			heads[m.ID] = message.View{Message: m, Now: fromMillis(now)}
			return err
		})
	if err != nil {
		return nil, err
	}
	found, err := t.deliveriesOf(ctx, tenant, ids)
	views := make([]message.View, len(ids))
	for i, id := range ids {
		views[i] = heads[id]
		views[i].Deliveries = found[id]
	}
	return views, err
}
