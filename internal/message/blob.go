package message

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"
)

// LargestInline is how many bytes of attachments a message carries in itself, in
// bytes for all of them together. What is beyond is kept apart, as blobs, and read
// while the mail is sent, so that a worker never holds a large mail.
const LargestInline = 256 << 10

// Blob names bytes that are kept apart from the message they belong to. The zero
// value is none.
type Blob struct {
	ID       uuid.UUID
	TenantID int64
	Place    string // which of the places holds it; written down with it, so that a change of settings leaves it readable
	Size     int64  // bytes
}

// IsZero reports whether there is no such blob.
func (b Blob) IsZero() bool { return b.ID == uuid.Nil }

// ErrBlobDamaged: the bytes read are not those that were accepted. Reading them
// again gives the same.
var ErrBlobDamaged = errors.New("the bytes are not those that were accepted")

// BlobError is a blob that cannot be had, or kept, now: its place is away, or not known
// to this process, or has it not. Later it may be otherwise.
type BlobError struct {
	Blob Blob
	Err  error // names no secret
}

// Error implements error.
func (e *BlobError) Error() string {
	return fmt.Sprintf("blob %s at %s: %v", e.Blob.ID, e.Blob.Place, e.Err)
}

// Unwrap returns the cause.
func (e *BlobError) Unwrap() error { return e.Err }

// FetchError is a URL whose file cannot be had. Detail is for the caller: it says
// nothing of the network behind.
type FetchError struct{ Detail string }

// Error implements error.
func (e *FetchError) Error() string { return "fetch: " + e.Detail }

// Checked reads an attachment's bytes from r and ends in an error unless they are
// those that were accepted: io.ErrUnexpectedEOF where some are missing, and
// ErrBlobDamaged where they are others.
func (a *Attachment) Checked(r io.Reader) io.Reader {
	return &checked{from: r, left: a.Size, want: a.SHA256, sum: sha256.New()}
}

type checked struct {
	from io.Reader
	left int64
	want [sha256.Size]byte
	sum  hash.Hash
}

// Read implements io.Reader. The last bytes are given out only with the verdict on
// all of them.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	_, _ = c.sum.Write(p[:n]) // a hash takes everything
	c.left -= int64(n)
	switch {
	case c.left < 0:
		return 0, ErrBlobDamaged
	case c.left > 0 && errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	case c.left == 0 && [sha256.Size]byte(c.sum.Sum(nil)) != c.want:
		return 0, ErrBlobDamaged
	}
	return n, err
}
