package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// contents are messages by id. One that is there and empty could not be read.
type contents map[uuid.UUID]*message.Message

// hasAll reports whether every bid's message is known.
func (c contents) hasAll(bids []message.Bid) bool {
	for _, bid := range bids {
		if c[bid.MessageID] == nil {
			return false
		}
	}
	return true
}

// contentsFor reads the messages that the bids are likely to win: copies that
// are stale cost a look at their row. When one message cannot be read at all,
// each is read for itself, and that one stays empty. Where it is the statement that the
// database refuses, no message is at fault.
func (s *Store) contentsFor(ctx context.Context, bids []message.Bid) (contents, error) {
	known, err := s.look(ctx, bids)
	if err == nil || isUnavailable(err) || s.refused(err) {
		return known, err
	}
	known = contents{}
	for i, bid := range bids {
		one, err := s.look(ctx, bids[i:i+1])
		if isUnavailable(err) || s.refused(err) {
			return nil, err
		}
		if err != nil {
			s.log.Error("message is damaged", "message", bid.MessageID, "error", err)
			one = contents{bid.MessageID: {}}
		}
		maps.Copy(known, one)
	}
	return known, nil
}

func (s *Store) look(ctx context.Context, bids []message.Bid) (known contents, err error) {
	err = s.read(ctx, "read messages", func(ctx context.Context, t *txn) error {
		known, err = t.contents(ctx, list{columns: bidValues, rows: bidRows(bids)}, t.claimable()+` AND `+t.live())
		return err
	})
	return known, err
}

// readMore reads inside the claim what did not look as if it could be claimed,
// and was. That is rare: the row changed between two statements.
func (t *txn) readMore(ctx context.Context, taken []*claimed, known contents) error {
	l := list{columns: keyColumns}
	for _, c := range taken {
		if known[c.work.MessageID] == nil {
			l.rows = append(l.rows, keyRow(c.work.Key))
		}
	}
	more, err := t.contents(ctx, l, `message_id=vid AND n=vn`)
	if err == nil {
		maps.Copy(known, more)
	}
	return err
}

// fill adds to the claimed deliveries what is to be sent. One whose message
// cannot be read fails alone: it is dead-lettered, and the sweep ends it.
func (s *Store) fill(claims []message.Claim, known contents) {
	for i := range claims {
		work := claims[i].Work
		if work == nil {
			continue
		}
		m := known[work.MessageID]
		if m == nil || m.ID == uuid.Nil {
			s.log.Error("message cannot be read", "message", work.MessageID)
			claims[i] = message.Claim{State: message.ClaimMissing}
			continue
		}
		work.Message, work.DueAt = m, later(m.CreatedAt, m.ScheduledAt)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// contents reads whole the messages of those deliveries of the list that the
// guard selects, each once.
func (t *txn) contents(ctx context.Context, l list, guard string) (contents, error) {
	messages, attached := contents{}, contents{}
	err := t.each(ctx, l, `
		SELECT `+headColumns+`, content, EXISTS (SELECT 1 FROM attachments WHERE message_id=id)
		FROM (SELECT DISTINCT message_id AS did, tenant_id AS dtenant FROM v CROSS JOIN deliveries WHERE `+guard+`) AS d
		CROSS JOIN messages WHERE id=did AND tenant_id=dtenant`, func(rows row) error {
		var h headRow
		var content string
		var files bool
		if err := rows.Scan(append(h.dest(), &content, &files)...); err != nil {
			return err
		}
		m, err := h.message()
		if err = errors.Join(err, json.Unmarshal([]byte(content), &m.Content)); err != nil {
			t.log.Error("message is damaged", "message", m.ID, "error", err)
			messages[m.ID] = &message.Message{}
			return nil
		}
		messages[m.ID] = &m
		if files {
			attached[m.ID] = &m
		}
		return nil
	})
	if err != nil || len(attached) == 0 {
		return messages, err
	}
	return messages, t.attachments(ctx, attached, true)
}
