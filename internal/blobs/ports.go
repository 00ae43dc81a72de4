// Package blobs keeps the bytes of large attachments apart from their messages: it
// puts them where the settings say before the message that refers to them is stored,
// opens them while a mail is sent, and deletes those that no message refers to.
package blobs

import (
	"context"
	"io"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Place holds blobs, each written once and never changed. Safe for concurrent use, also
// by several processes.
//
// Put returns when the blob is durable, and reads exactly its size. What is there of it
// after an error, or a crash, is never taken for a blob, and Delete removes it.
//
// Open reads a blob. ctx bounds the reading too. The reader ends with io.EOF only where
// the blob does: one that is cut off on the way is another error. A blob that is not
// there is an error of Open. The caller closes the reader.
//
// Delete removes a blob; one that is not there is no error.
//
// No error names a secret.
type Place interface {
	Put(ctx context.Context, b message.Blob, data io.Reader) error
	Open(ctx context.Context, b message.Blob) (io.ReadCloser, error)
	Delete(ctx context.Context, b message.Blob) error
}

// Ledger lists the blobs that no message refers to. Errors wrap
// message.ErrUnavailable where the database cannot be reached. Safe for concurrent use.
//
// Reserve writes blobs down before they are put. Storing a message takes those that it
// refers to off the list, in its own transaction, and fails for one that is doomed.
//
// Doom returns up to limit blobs that have been on the list for the given time, from
// when on no message can refer to them. They come again after that time unless they are
// forgotten.
//
// Forget takes doomed blobs off the list.
type Ledger interface {
	Reserve(ctx context.Context, blobs []message.Blob) error
	Doom(ctx context.Context, after time.Duration, limit int) ([]message.Blob, error)
	Forget(ctx context.Context, blobs []message.Blob) error
}
