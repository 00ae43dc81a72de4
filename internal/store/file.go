package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const fileColumns = `a.blob_id, a.filename, a.content_type, a.content_id, a.disposition, a.size`

// Files lists the attachments of a message in its own order. A message that the
// tenant does not have is message.ErrNotFound.
func (s *Store) Files(ctx context.Context, tenant int64, id uuid.UUID) ([]message.File, error) {
	var files []message.File
	err := s.snapshot(ctx, "list attachments", func(ctx context.Context, t *txn) error {
		files = nil
		there := false
		err := t.rows(ctx, `SELECT 1 FROM messages WHERE tenant_id=$1 AND id=$2`, []any{tenant, id}, func(rows row) error {
			there = true
			return rows.Scan(new(int))
		})
		if err == nil && !there {
			return message.ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.rows(ctx, `SELECT `+fileColumns+` FROM attachments a CROSS JOIN blobs b
			WHERE a.message_id=$2 AND b.id=a.blob_id AND b.tenant_id=$1 ORDER BY a.n`, []any{tenant, id}, func(rows row) error {
			f := message.File{TenantID: tenant, MessageID: id, N: len(files)}
			err := rows.Scan(&f.ID, &f.Filename, &f.ContentType, &f.ContentID, &f.Disposition, &f.Size)
			files = append(files, f)
			return err
		})
	})
	return files, err
}
