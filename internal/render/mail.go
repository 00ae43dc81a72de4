package render

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/postrider/postrider/internal/message"
)

// Mail is a rendered message. It holds the attachments by reference, reading and
// encoding them only while it is written, so a large mail is never in memory twice,
// and one whose bytes are kept apart never at all. Safe for concurrent use; the
// message must not change.
type Mail struct {
	pieces []piece
	size   int64
	utf8   bool
}

// piece is either text that is written as it is, or a file that is written in
// base64.
type piece struct {
	text []byte
	file *message.Attachment
}

// New renders a message. The only error is a *message.SendError with
// FaultPermanent and ReasonRender: a value that would break the header, which
// validation should have refused. Once New has returned, writing fails only
// where the writer does.
func New(m *message.Message) (*Mail, error) {
	c := &composer{id: m.ID}
	if err := c.header(m); err != nil {
		return nil, renderError(err)
	}
	if err := c.body(m); err != nil {
		return nil, renderError(err)
	}
	c.cut()
	mail := &Mail{pieces: c.pieces, utf8: needsUTF8(&m.Head)}
	for _, p := range mail.pieces {
		mail.size += int64(len(p.text))
		if p.file != nil {
			mail.size += base64Size(fileSize(p.file))
		}
	}
	return mail, nil
}

// Size is the exact number of bytes WriteTo writes.
func (m *Mail) Size() int64 { return m.size }

// UTF8 reports whether the header holds UTF-8 addresses, so that the mail may
// only go to a host that offers SMTPUTF8 (RFC 6531), whoever the recipient is.
func (m *Mail) UTF8() bool { return m.utf8 }

// WriteTo writes a mail whose bytes are all with the message. Implements io.WriterTo.
func (m *Mail) WriteTo(w io.Writer) (int64, error) {
	return m.Write(context.Background(), w, nil)
}

// Write writes the mail: lines of at most 998 bytes ended by CRLF, nothing but ASCII
// unless UTF8 says so. Files that are kept apart are read through open, one after the
// other, each checked against what was accepted before anything behind it is written.
// Where that fails the error is a *FileError, and what was written is no mail.
func (m *Mail) Write(ctx context.Context, w io.Writer, open Opener) (int64, error) {
	var written int64
	for _, p := range m.pieces {
		n, err := w.Write(p.text)
		written += int64(n)
		if err == nil && p.file != nil {
			var more int64
			more, err = writeFile(ctx, w, p.file, open)
			written += more
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// badValue is a value that must not get into a mail.
type badValue struct{ field, fault string }

func (e *badValue) Error() string { return fmt.Sprintf("%s %s", e.field, e.fault) }

var errNoTime = errors.New("the message has no time of acceptance")

func renderError(err error) error {
	return &message.SendError{
		Fault: message.FaultPermanent, Reason: message.ReasonRender,
		Text: "no mail could be made of the message: " + err.Error(), Err: err,
	}
}
