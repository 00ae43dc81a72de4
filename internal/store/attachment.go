package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// placeRow is the place of a blob whose bytes stand in its own row.
const placeRow = "row"

// insertAttachments writes one row at a time: the bytes are what costs, and a
// list of them would have to be held twice.
func (t *txn) insertAttachments(ctx context.Context, jobs []accepting) error {
	if err := t.bindBlobs(ctx, jobs); err != nil {
		return err
	}
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
	blob, place, data := a.Blob.ID, a.Blob.Place, []byte(nil)
	if a.Blob.IsZero() {
		blob, place, data = uuid.Must(uuid.NewV7()), placeRow, a.Data
		if data == nil {
			data = []byte{}
		}
	}
	_, err := t.exec(ctx, `
		INSERT INTO blobs (id, tenant_id, size, sha256, place, data, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, `+t.clock()+`)`,
		blob, m.TenantID, a.Size, a.SHA256[:], place, data)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		INSERT INTO attachments (message_id, n, blob_id, filename, content_type, content_id, disposition, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		m.ID, n, blob, a.Filename, a.ContentType, a.ContentID, a.Disposition, a.Size)
	return err
}

// attachmentColumns describe an attachment a with its blob b. The bytes of one that
// is not small are left where they are, also where they came in before they had a
// place of their own.
func attachmentColumns(withData bool) string {
	data := "NULL"
	if withData {
		data = `CASE WHEN b.place='` + placeRow + `' AND a.size<=` + strconv.Itoa(message.LargestInline) + ` THEN b.data END`
	}
	return `a.filename, a.content_type, a.content_id, a.disposition, a.size, b.sha256, b.id, b.tenant_id, b.place, ` + data
}

func scanAttachment(rows row, before ...any) (message.Attachment, error) {
	var a message.Attachment
	var sum []byte
	blob := &a.Blob
	err := rows.Scan(append(before, &a.Filename, &a.ContentType, &a.ContentID, &a.Disposition, &a.Size, &sum,
		&blob.ID, &blob.TenantID, &blob.Place, &a.Data)...)
	copy(a.SHA256[:], sum)
	if blob.Size = a.Size; blob.Place == placeRow && a.Size <= message.LargestInline {
		a.Blob = message.Blob{}
	}
	return a, err
}

// attachments adds the attachments of the messages, the small ones with their bytes
// or all described only.
func (t *txn) attachments(ctx context.Context, messages map[uuid.UUID]*message.Message, withData bool) error {
	l := list{columns: []column{{"vid", kindUUID}}}
	for id := range messages {
		l.rows = append(l.rows, []any{id})
	}
	return t.each(ctx, l, `
		SELECT a.message_id, `+attachmentColumns(withData)+`
		FROM v CROSS JOIN attachments a CROSS JOIN blobs b WHERE a.message_id=vid AND b.id=a.blob_id
		ORDER BY a.message_id, a.n`, func(rows row) error {
		var id uuid.UUID
		a, err := scanAttachment(rows, &id)
		if err != nil {
			return err // and nobody knows whose it is
		}
		messages[id].Attachments = append(messages[id].Attachments, a)
		return nil
	})
}

// Attachment is the n-th attachment of a message, from 0: a small one with its
// bytes, else with the blob that has them. One that the tenant does not have is
// message.ErrNotFound.
func (s *Store) Attachment(ctx context.Context, tenant int64, id uuid.UUID, n int) (message.Attachment, error) {
	var a message.Attachment
	err := s.read(ctx, "read an attachment", func(ctx context.Context, t *txn) error {
		found := false
		err := t.rows(ctx, `
			SELECT `+attachmentColumns(true)+` FROM messages m CROSS JOIN attachments a CROSS JOIN blobs b
			WHERE m.tenant_id=$1 AND m.id=$2 AND a.message_id=m.id AND a.n=$3 AND b.id=a.blob_id AND b.tenant_id=m.tenant_id`,
			[]any{tenant, id, n}, func(rows row) (err error) {
				found = true
				a, err = scanAttachment(rows)
				return err
			})
		if err == nil && !found {
			return message.ErrNotFound
		}
		return err
	})
	return a, err
}
