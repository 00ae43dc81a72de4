package render

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/postrider/postrider/internal/message"
)

// Mail is a rendered message. It holds the attachments by reference, encoding
// them only while it is written, so a large mail is never in memory twice. Safe
// for concurrent use; the message must not change.
type Mail struct {
	pieces []piece
	size   int64
	utf8   bool
}

// piece is either text that is written as it is, or a file that is written in
// base64.
type piece struct {
	text []byte
	file []byte
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
		mail.size += int64(len(p.text)) + base64Size(len(p.file))
	}
	return mail, nil
}

// Size is the exact number of bytes WriteTo writes.
func (m *Mail) Size() int64 { return m.size }

// UTF8 reports whether the header holds UTF-8 addresses, so that the mail may
// only go to a host that offers SMTPUTF8 (RFC 6531), whoever the recipient is.
func (m *Mail) UTF8() bool { return m.utf8 }

// WriteTo writes the mail: lines of at most 998 bytes ended by CRLF, nothing
// but ASCII unless UTF8 says so. Implements io.WriterTo.
func (m *Mail) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for _, p := range m.pieces {
		n, err := w.Write(p.text)
		written += int64(n)
		if err == nil && len(p.file) > 0 {
			var more int64
			more, err = writeBase64(w, p.file)
			written += more
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// The lines of base64 are 76 characters of 57 bytes each (RFC 2045, 6.8).
const (
	base64Line  = 76
	base64Bytes = 57
	base64Batch = 400 // lines encoded between two writes
)

func base64Size(n int) int64 {
	chars := int64(base64.StdEncoding.EncodedLen(n))
	return chars + 2*((chars+base64Line-1)/base64Line)
}

func writeBase64(w io.Writer, data []byte) (written int64, err error) {
	buf := make([]byte, 0, min(base64Size(len(data)), base64Batch*(base64Line+2)))
	for len(data) > 0 {
		buf = buf[:0]
		for range base64Batch {
			line := data[:min(base64Bytes, len(data))]
			buf = append(base64.StdEncoding.AppendEncode(buf, line), '\r', '\n')
			if data = data[len(line):]; len(data) == 0 {
				break
			}
		}
		n, err := w.Write(buf)
		written += int64(n)
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
