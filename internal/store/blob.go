package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// PlaceParts is the place of blobs that the database keeps in parts.
const PlaceParts = "parts"

// PlaceRow is the place of blobs in a row: those that came in before larger ones
// were kept in parts. Nothing new is put there by Parts.
const PlaceRow = placeRow

// blobPart is how many bytes are written and read at a time.
const blobPart = 256 << 10

// Parts keeps blobs in the database, in parts. It also reads and deletes those of
// PlaceRow. Safe for concurrent use.
type Parts struct{ store *Store }

// Parts returns the place for blobs in this database.
func (s *Store) Parts() Parts { return Parts{s} }

var errBlobSize = errors.New("the bytes are fewer or more than was said")

// Put writes a blob that is not there yet. Each part is a transaction of its own: a
// large file keeps nobody else from writing for long, and one that is written half is
// what loose blobs are for.
func (p Parts) Put(ctx context.Context, b message.Blob, data io.Reader) error {
	buf := make([]byte, min(b.Size, blobPart))
	left := b.Size
	for n := 0; left > 0; n++ {
		part := buf[:min(left, blobPart)]
		if _, err := io.ReadFull(data, part); err != nil {
			return fmt.Errorf("keep a blob: %w", errors.Join(errBlobSize, err))
		}
		err := p.store.single(ctx, "keep a part of a blob", func(ctx context.Context, t *txn) error {
			_, err := t.exec(ctx, `INSERT INTO blob_parts (blob_id, n, tenant_id, data) VALUES ($1, $2, $3, $4)`, b.ID, n, b.TenantID, part)
			return err
		})
		if err != nil {
			return err
		}
		left -= int64(len(part))
	}
	return nil
}

// Open reads a blob part by part, each when it is asked for. The first is read at
// once: one that is not there is an error of Open.
func (p Parts) Open(ctx context.Context, b message.Blob) (io.ReadCloser, error) {
	r := &partReader{ctx: ctx, store: p.store, blob: b}
	if b.Size > 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

type partReader struct {
	ctx   context.Context // that of Open: the whole reading is one call
	store *Store
	blob  message.Blob
	n     int    // the next part
	rest  []byte // of the last one
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if int64(r.n)*blobPart >= r.blob.Size {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

var errNoPart = errors.New("a part of the blob is not in the database")

func (r *partReader) fill() error {
	query, args := `SELECT data FROM blob_parts WHERE blob_id=$1 AND tenant_id=$2 AND n=$3`, []any{r.blob.ID, r.blob.TenantID, r.n}
	if r.blob.Place == placeRow {
		query = `SELECT substr(data, $3, $4) FROM blobs WHERE id=$1 AND tenant_id=$2 AND data IS NOT NULL`
		args = []any{r.blob.ID, r.blob.TenantID, r.n*blobPart + 1, blobPart}
	}
	err := r.store.read(r.ctx, "read a part of a blob", func(ctx context.Context, t *txn) error {
		r.rest = nil
		return t.rows(ctx, query, args, func(rows row) error { return rows.Scan(&r.rest) })
	})
	if err == nil && len(r.rest) == 0 {
		err = errNoPart
	}
	r.n++
	return err
}

// Close implements io.Closer.
func (r *partReader) Close() error { return nil }

// Delete removes a blob; one that is not there is no error.
func (p Parts) Delete(ctx context.Context, b message.Blob) error {
	return p.store.single(ctx, "delete a blob", func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `DELETE FROM blob_parts WHERE blob_id=$1 AND tenant_id=$2`, b.ID, b.TenantID)
		return err
	})
}

var blobValues = []column{{"vid", kindUUID}, {"vtenant", kindInt}, {"vplace", kindText}, {"vsize", kindInt}}

func blobList(blobs []message.Blob) list {
	l := list{columns: blobValues}
	for _, b := range blobs {
		l.rows = append(l.rows, []any{b.ID, b.TenantID, b.Place, b.Size})
	}
	return l
}

// Reserve writes blobs down that are about to be kept, so that what a crash leaves of
// them is found.
func (s *Store) Reserve(ctx context.Context, blobs []message.Blob) error {
	return s.tx(ctx, "reserve blobs", func(ctx context.Context, t *txn) error {
		return t.last(ctx, t.with(blobList(blobs), `
			INSERT INTO loose_blobs (id, tenant_id, place, size, since)
			SELECT vid, vtenant, vplace, vsize, `+t.clock()+` FROM v WHERE vid IS NOT NULL`, nil)...)
	})
}

// bindBlobs takes the blobs that the messages refer to from those that nothing refers
// to. One that is doomed, or gone, can be referred to no more: a sweep of another
// process holds it, or waits for this transaction.
func (t *txn) bindBlobs(ctx context.Context, jobs []accepting) error {
	var blobs []message.Blob
	for _, job := range jobs {
		for _, a := range job.Message.Attachments {
			if !a.Blob.IsZero() {
				blobs = append(blobs, a.Blob)
			}
		}
	}
	slices.SortFunc(blobs, func(a, b message.Blob) int { return slices.Compare(a.ID[:], b.ID[:]) })
	bound := 0
	err := t.each(ctx, blobList(blobs), `DELETE FROM loose_blobs
		WHERE doomed=0 AND (id, tenant_id) IN (SELECT vid, vtenant FROM v) RETURNING id`, func(rows row) error {
		bound++
		return rows.Scan(new(uuid.UUID))
	})
	if err == nil && bound < len(blobs) {
		return fmt.Errorf("the bytes of an attachment were given up before the message was stored: %w", message.ErrUnavailable)
	}
	return err
}

// Doom returns up to limit blobs that nothing has referred to for the given time. From
// now on nothing can. Those that are not forgotten come again after that time: what a
// place refuses to delete does not stand in the way of the rest.
func (s *Store) Doom(ctx context.Context, after time.Duration, limit int) ([]message.Blob, error) {
	var doomed []message.Blob
	err := s.tx(ctx, "look for loose blobs", func(ctx context.Context, t *txn) error {
		doomed = nil
		err := t.rows(ctx, `SELECT id, tenant_id, place, size FROM loose_blobs WHERE since<=`+t.clock()+`-$1
			ORDER BY since, id LIMIT $2`+t.skipLocked, []any{after.Milliseconds(), limit}, func(rows row) error {
			var b message.Blob
			err := rows.Scan(&b.ID, &b.TenantID, &b.Place, &b.Size)
			doomed = append(doomed, b)
			return err
		})
		if err != nil {
			return err
		}
		return t.each(ctx, blobList(doomed), `UPDATE loose_blobs SET doomed=1, since=`+t.clock()+` FROM v WHERE id=vid AND tenant_id=vtenant`, nil)
	})
	return doomed, err
}

// Forget takes doomed blobs, whose bytes are gone, off the list.
func (s *Store) Forget(ctx context.Context, blobs []message.Blob) error {
	return s.tx(ctx, "forget loose blobs", func(ctx context.Context, t *txn) error {
		return t.last(ctx, t.with(blobList(blobs), `DELETE FROM loose_blobs
			WHERE doomed=1 AND (id, tenant_id) IN (SELECT vid, vtenant FROM v)`, nil)...)
	})
}
