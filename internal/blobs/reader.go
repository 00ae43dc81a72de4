package blobs

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Index finds attachments: the n-th of a message, from 0, a small one with its bytes,
// else with the blob that has them. One that the tenant does not have is
// message.ErrNotFound. Safe for concurrent use.
type Index interface {
	Attachment(ctx context.Context, tenant int64, id uuid.UUID, n int) (message.Attachment, error)
}

// Open opens a blob, as Keeper.Open does.
type Open func(ctx context.Context, b message.Blob) (io.ReadCloser, error)

// Reader gives callers the bytes of what they posted. Safe for concurrent use.
type Reader struct {
	index Index
	open  Open
}

// NewReader returns a reader of what the index finds.
func NewReader(index Index, open Open) *Reader { return &Reader{index, open} }

// OpenAttachment opens the n-th attachment of a message, from 0, and describes it. What
// is read ends in an error unless it is what was accepted. One that the tenant does not
// have is message.ErrNotFound; one that cannot be had now is message.ErrUnavailable. ctx
// bounds the reading too; the caller closes the reader.
func (r *Reader) OpenAttachment(ctx context.Context, tenant int64, id uuid.UUID, n int) (message.Attachment, io.ReadCloser, error) {
	a, err := r.index.Attachment(ctx, tenant, id, n)
	if err != nil {
		return a, nil, err
	}
	if a.Blob.IsZero() {
		return a, io.NopCloser(bytes.NewReader(a.Data)), nil
	}
	data, err := r.open(ctx, a.Blob)
	if err != nil {
		return a, nil, fmt.Errorf("open an attachment: %w: %w", message.ErrUnavailable, err)
	}
	return a, checkedFile{a.Checked(data), data}, nil
}

type checkedFile struct {
	io.Reader
	io.Closer
}
