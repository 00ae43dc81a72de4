package render

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/postrider/postrider/internal/message"
)

// Opener reads a file that is kept apart from its message. ctx bounds the reading too.
type Opener func(ctx context.Context, b message.Blob) (io.ReadCloser, error)

// FileError is a file that cannot be read, or is not what was accepted.
type FileError struct {
	Filename string
	Err      error
}

// Error implements error.
func (e *FileError) Error() string { return fmt.Sprintf("attachment %q: %v", e.Filename, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

var errNoOpener = errors.New("its bytes are kept apart, and nobody here can read them")

// fileSize is the number of bytes, known without reading any.
func fileSize(a *message.Attachment) int64 {
	if a.Blob.IsZero() {
		return int64(len(a.Data))
	}
	return a.Size
}

func writeFile(ctx context.Context, w io.Writer, a *message.Attachment, open Opener) (written int64, err error) {
	if a.Blob.IsZero() {
		return writeBase64(w, bytes.NewReader(a.Data), int64(len(a.Data)))
	}
	if open == nil {
		return 0, &FileError{a.Filename, errNoOpener}
	}
	data, err := open(ctx, a.Blob)
	if err != nil {
		return 0, &FileError{a.Filename, err}
	}
	defer func() { _ = data.Close() }() // all bytes that count were read and checked
	written, err = writeBase64(w, a.Checked(data), a.Size)
	var unread *readError
	if errors.As(err, &unread) {
		err = &FileError{a.Filename, unread.err}
	}
	return written, err
}

// readError tells a source that fails from a writer that does.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// The lines of base64 are 76 characters of 57 bytes each (RFC 2045, 6.8).
const (
	base64Line  = 76
	base64Bytes = 57
	base64Batch = 400 // lines encoded between two writes
)

func base64Size(n int64) int64 {
	chars := (n + 2) / 3 * 4
	return chars + 2*((chars+base64Line-1)/base64Line)
}

// writeBase64 writes size bytes of data in lines. It holds one batch of them at a
// time, which is written only when all of it was read.
func writeBase64(w io.Writer, data io.Reader, size int64) (written int64, err error) {
	in := make([]byte, min(size, base64Batch*base64Bytes))
	out := make([]byte, 0, base64Size(int64(len(in))))
	for left := size; left > 0; {
		in = in[:min(left, int64(len(in)))]
		if _, err := io.ReadFull(data, in); err != nil {
			return written, &readError{err}
		}
		left -= int64(len(in))
		n, err := w.Write(appendLines(out, in))
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func appendLines(out, in []byte) []byte {
	for len(in) > 0 {
		line := in[:min(base64Bytes, len(in))]
		out = append(base64.StdEncoding.AppendEncode(out, line), '\r', '\n')
		in = in[len(line):]
	}
	return out
}
