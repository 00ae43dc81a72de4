package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// placeRow is the place of a blob whose bytes stand in its own row.
const placeRow = "row"

// insertAttachments writes one row at a time: the bytes are what costs, and a
// list of them would have to be held twice.
func (t *txn) insertAttachments(ctx context.Context, jobs []accepting) error {
	for _, job := range jobs {
		for n := range job.Message.Attachments {
			if err := t.insertAttachment(ctx, job.Message, n); err != nil {
				return fmt.Errorf("attachment %d: %w", n, err)
			}
		}
	}
	return nil
}

func (t *txn) insertAttachment(ctx context.Context, m *message.Message, n int) error {
	a := &m.Attachments[n]
	blob, err := uuid.NewV7()
	if err != nil {
		return err
	}
	data := a.Data
	if data == nil {
		data = []byte{}
	}
	_, err = t.exec(ctx, `
		INSERT INTO blobs (id, tenant_id, size, sha256, place, data, created_at)
		VALUES ($1, $2, $3, $4, '`+placeRow+`', $5, `+t.clock()+`)`,
		blob, m.TenantID, a.Size, a.SHA256[:], data)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		INSERT INTO attachments (message_id, n, blob_id, filename, content_type, content_id, disposition, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		m.ID, n, blob, a.Filename, a.ContentType, a.ContentID, a.Disposition, a.Size)
	return err
}

// attachments adds the attachments of the messages, with their bytes or
// described only.
func (t *txn) attachments(ctx context.Context, messages map[uuid.UUID]*message.Message, withData bool) error {
	data := "NULL"
	if withData {
		data = "data"
	}
	l := list{columns: []column{{"vid", kindUUID}}}
	for id := range messages {
		l.rows = append(l.rows, []any{id})
	}
	return t.each(ctx, l, `
		SELECT a.message_id, a.filename, a.content_type, a.content_id, a.disposition, a.size, b.sha256, `+data+`
		FROM v CROSS JOIN attachments a CROSS JOIN blobs b WHERE a.message_id=vid AND b.id=a.blob_id
		ORDER BY a.message_id, a.n`, func(rows row) error {
		var id uuid.UUID
		var a message.Attachment
		var sum []byte
		err := rows.Scan(&id, &a.Filename, &a.ContentType, &a.ContentID, &a.Disposition, &a.Size, &sum, &a.Data)
		copy(a.SHA256[:], sum)
		messages[id].Attachments = append(messages[id].Attachments, a)
		return err
	})
}
