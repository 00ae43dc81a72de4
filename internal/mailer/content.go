package mailer

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/postrider/postrider/internal/render"
)

// content writes the mail, up to the last byte before the final dot. A host that
// closes in the midst of it may have said why; a file that cannot be read is ours to
// break off for.
func (s *session) content(e envelope) (refusal reply, err error) {
	w := &stuffer{w: s.text.W, lineStart: true}
	err = e.files.writeTo(w, e.mail)
	var unread *render.FileError
	if errors.As(err, &unread) {
		return reply{}, err
	}
	if err == nil && !w.lineStart {
		return reply{}, errors.New("the rendered mail does not end a line")
	}
	if err == nil {
		err = s.text.W.Flush()
	}
	if err != nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(lastWords))
		if r, readErr := readReply(s.reader()); readErr == nil && (r.class() == 4 || r.class() == 5) {
			r.cut = true
			return r, nil
		}
	}
	return reply{}, err
}

// stuffer doubles dots at the start of lines (RFC 5321, 4.5.2). Unlike the
// writer of net/textproto it knows no end: that one writes the final dot by
// itself as soon as anything else is written.
type stuffer struct {
	w         io.Writer
	lineStart bool
}

// Write implements io.Writer.
func (s *stuffer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if s.lineStart && p[0] == '.' {
			if _, err := s.w.Write([]byte{'.'}); err != nil {
				return 0, err
			}
		}
		n := len(p)
		if i := bytes.Index(p, []byte("\n.")); i >= 0 {
			n = i + 1
		}
		if _, err := s.w.Write(p[:n]); err != nil {
			return 0, err
		}
		s.lineStart = p[n-1] == '\n'
		p = p[n:]
	}
	return total, nil
}
