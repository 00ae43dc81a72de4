package store

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	// walkFirst is how many messages the first look of a walk goes through, twice
	// as many each further one, up to walkStep; walkMost is for one page, unless a
	// test says otherwise. Another page goes on from there.
	walkFirst = 250
	walkStep  = 8_000
	walkMost  = 50_000
)

// hits are the ids of a page in the order of the search. With more, another
// search from next on may find others.
type hits struct {
	ids  []uuid.UUID
	next uuid.UUID
	more bool
}

// full takes a page from what a search found, which is one more where there is
// another page.
func full(ids []uuid.UUID, limit int) (hits, bool) {
	if len(ids) <= limit {
		return hits{ids: ids}, false
	}
	return hits{ids: ids[:limit], next: ids[limit-1], more: true}, true
}

// find searches by an index where one leads to what is looked for, else by
// walking through the tenant's messages, as many as most.
func (t *txn) find(ctx context.Context, f message.Filter, most int) (hits, error) {
	if f.Narrows() || f.Status != "" && !indexed(f.Status) {
		return t.walk(ctx, f, most)
	}
	q := newQuery()
	ids, err := t.ids(ctx, q, q.source(f, "id")+` LIMIT `+q.arg(f.Limit+1))
	found, _ := full(ids, f.Limit)
	return found, err
}

// indexed are the states by which deliveries are found without looking at others.
func indexed(s message.Status) bool {
	switch s {
	case message.StatusFailed, message.StatusUnknown, message.StatusCanceled, message.StatusSuppressed, message.StatusSending:
		return true
	}
	return false
}

// query is a statement in the making: its arguments are numbered as they come.
type query struct{ args []any }

func newQuery() *query { return &query{} }

func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return ordinal(len(q.args))
}

// source are the messages that a search goes through, in its order: with an
// indexed state the ids of those that have it, else columns of all of the tenant.
func (q *query) source(f message.Filter, columns string) string {
	switch {
	case !indexed(f.Status):
		return `SELECT ` + columns + ` FROM messages WHERE ` + q.within(f, "id")
	case f.Status == message.StatusSending:
		return `SELECT DISTINCT message_id AS id FROM deliveries WHERE status='sending' AND ` + q.within(f, "message_id")
	}
	return `SELECT DISTINCT message_id AS id FROM deliveries WHERE status IN ('failed', 'unknown', 'canceled', 'suppressed')
		AND status=` + q.arg(f.Status) + ` AND ` + q.within(f, "message_id")
}

// within is the keyset of a page.
func (q *query) within(f message.Filter, id string) string {
	older, newer := f.Ends()
	return `tenant_id=` + q.arg(f.TenantID) + ` AND ` + id + `<` + q.arg(newer) + ` AND ` + id + `>` + q.arg(older) +
		` ORDER BY ` + id + direction(f)
}

func direction(f message.Filter) string {
	if f.Upwards() {
		return ""
	}
	return " DESC"
}

// ids runs a query for ids.
func (t *txn) ids(ctx context.Context, q *query, text string) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := t.rows(ctx, text, q.args, func(rows row) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// walk goes through the messages from the cursor on, step by step, until the page
// is full, there are no more, or it has seen as many as it may.
func (t *txn) walk(ctx context.Context, f message.Filter, most int) (hits, error) {
	var ids []uuid.UUID
	for step, seen := walkFirst, 0; seen < most; step, seen = min(2*step, walkStep, most-seen-step), seen+step {
		fit, last, err := t.look(ctx, f, step)
		ids = append(ids, fit...)
		if err != nil || last == uuid.Nil {
			found, _ := full(ids, f.Limit)
			return found, err
		}
		if found, ok := full(ids, f.Limit); ok {
			return found, nil
		}
		if f.Upwards() {
			f.Before = last
		} else {
			f.After = last
		}
	}
	next := f.After
	if f.Upwards() {
		next = f.Before
	}
	return hits{ids: ids, next: next, more: true}, nil
}

// look goes through up to step messages and returns those that fit, and the last
// that it has seen; uuid.Nil: there are no more. It stops early at one more than
// a page of those that the database takes for fitting.
func (t *txn) look(ctx context.Context, f message.Filter, step int) (fit []uuid.UUID, last uuid.UUID, err error) {
	q, most, likely := newQuery(), f.Limit+1, 0
	text := t.likely(q, f, step) + ` LIMIT ` + q.arg(most)
	err = t.rows(ctx, text, q.args, func(rows row) error {
		var m message.Message
		var head string
		if err := rows.Scan(&m.ID, &m.Lane, &head); err != nil {
			return err
		}
		likely, last = likely+1, m.ID
		switch err := json.Unmarshal([]byte(head), &m.Head); {
		case err != nil:
			t.log.Error("message is damaged", "message", m.ID, "error", err)
		case f.Matches(&m):
			fit = append(fit, m.ID)
		}
		return nil
	})
	if err != nil || likely == most {
		return fit, last, err
	}
	q = newQuery()
	end, err := t.ids(ctx, q, q.source(f, "id")+` LIMIT 1 OFFSET `+q.arg(step-1))
	if err != nil || len(end) == 0 {
		return fit, uuid.Nil, err
	}
	return fit, end[0], nil
}

// likely selects id, lane and head of those among the next messages that the
// filter may take. The heads of the others stay with the database, and what it
// does to each is cheap: it finds texts, and decodes nothing.
func (t *txn) likely(q *query, f message.Filter, step int) string {
	var b strings.Builder
	b.WriteString(`SELECT m.id, lane, head FROM (` + q.source(f, "id, lane, head") + ` LIMIT ` + q.arg(step) + `) AS m`)
	if indexed(f.Status) { // its source has the ids only
		b.WriteString(` CROSS JOIN messages WHERE messages.id=m.id AND tenant_id=` + q.arg(f.TenantID))
	} else {
		b.WriteString(` WHERE m.id IS NOT NULL`)
	}
	if f.Lane != "" {
		b.WriteString(` AND lane=` + q.arg(f.Lane))
	}
	for _, trace := range f.Traces() {
		b.WriteString(` AND ` + t.traces + q.arg(trace) + `)>0`)
	}
	if condition, ok := t.shown(f.Status); ok {
		b.WriteString(` AND EXISTS (SELECT 1 FROM deliveries WHERE message_id=m.id AND ` + condition + `)`)
	}
	b.WriteString(` ORDER BY m.id` + direction(f))
	return b.String()
}
