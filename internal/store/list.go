package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	// walkFirst is how many messages the first look for a state goes through,
	// twice as many each further one, up to walkStep; walkMost is for one page.
	// What lies further back than that, with nothing on the way, is not found.
	walkFirst = 250
	walkStep  = 8_000
	walkMost  = 200_000
	pageMost  = 100
)

// Emails reads a page of the tenant's messages, newest first, without content,
// attachments and attempts. A page by state looks at a bounded number of
// messages: ends other than sent, and sending, are found by index wherever they
// are; the other states within the newest 200,000 messages from the cursor on.
func (s *Store) Emails(ctx context.Context, filter message.Filter) (message.Page, error) {
	filter.Limit = min(max(filter.Limit, 1), pageMost)
	var page message.Page
	err := s.snapshot(ctx, "list messages", func(ctx context.Context, t *txn) error {
		ids, err := t.find(ctx, filter)
		if err != nil {
			return err
		}
		page = message.Page{HasMore: len(ids) > filter.Limit}
		ids = ids[:min(len(ids), filter.Limit)]
		if upwards(filter) {
			slices.Reverse(ids)
		}
		page.Views, err = t.views(ctx, filter.TenantID, ids)
		return err
	})
	return page, err
}

// upwards is a page next to a newer one: it is searched from its older end.
func upwards(f message.Filter) bool { return f.Before != uuid.Nil }

// find returns the ids of a page and of one message more, if there is one, in
// the direction of the search.
func (t *txn) find(ctx context.Context, f message.Filter) ([]uuid.UUID, error) {
	switch f.Status {
	case "":
		return t.ids(ctx, `SELECT id FROM messages WHERE `+within(f, "id")+` LIMIT $4`, f, f.Limit+1)
	case message.StatusFailed, message.StatusUnknown, message.StatusCanceled, message.StatusSuppressed:
		return t.ids(ctx, `SELECT DISTINCT message_id FROM deliveries
			WHERE status IN ('failed', 'unknown', 'canceled', 'suppressed') AND status=$5
			AND `+within(f, "message_id")+` LIMIT $4`, f, f.Limit+1, f.Status)
	case message.StatusSending:
		return t.ids(ctx, `SELECT DISTINCT message_id FROM deliveries
			WHERE status='sending' AND `+within(f, "message_id")+` LIMIT $4`, f, f.Limit+1)
	}
	return t.walk(ctx, f)
}

// within is the keyset of a page; $1 to $3 are the tenant and the two ends.
func within(f message.Filter, id string) string {
	order := " DESC"
	if upwards(f) {
		order = ""
	}
	return `tenant_id=$1 AND ` + id + `<$2 AND ` + id + `>$3 ORDER BY ` + id + order
}

func (t *txn) ids(ctx context.Context, query string, f message.Filter, more ...any) ([]uuid.UUID, error) {
	after := f.After
	if after == uuid.Nil {
		after = uuid.Max
	}
	var ids []uuid.UUID
	err := t.rows(ctx, query, append([]any{f.TenantID, after, f.Before}, more...), func(rows row) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// walk goes through the messages from the cursor on and asks each for a
// recipient in the state, until the page is full.
func (t *txn) walk(ctx context.Context, f message.Filter) ([]uuid.UUID, error) {
	condition, ok := t.shown(f.Status)
	if !ok {
		return nil, nil
	}
	query := `SELECT m.id FROM (SELECT id FROM messages WHERE ` + within(f, "id") + ` LIMIT $4) AS m
		WHERE EXISTS (SELECT 1 FROM deliveries WHERE message_id=m.id AND ` + condition + `) ORDER BY m.id`
	limited := ` LIMIT $5`
	last := `SELECT id FROM messages WHERE ` + within(f, "id") + ` LIMIT 1 OFFSET $4`
	if !upwards(f) {
		limited = ` DESC` + limited
	}
	var found []uuid.UUID
	for step, seen := walkFirst, 0; seen < walkMost; step, seen = min(2*step, walkStep), seen+step {
		some, err := t.ids(ctx, query+limited, f, step, f.Limit+1)
		if found = append(found, some...); err != nil || len(found) > f.Limit {
			return found[:min(len(found), f.Limit+1)], err
		}
		end, err := t.ids(ctx, last, f, step-1)
		if err != nil || len(end) == 0 {
			return found, err
		}
		if upwards(f) {
			f.Before = end[0]
		} else {
			f.After = end[0]
		}
	}
	return found, nil
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
