package mailer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

// files reads what of a mail is kept apart. The first file is opened before the relay
// host hears of the mail: where a place is away, no session is broken off for it.
type files struct {
	ctx   context.Context // ends when the final dot must be written
	end   context.CancelFunc
	open  render.Opener
	first message.Blob
	ahead io.ReadCloser // nil once it is read
}

// openFiles opens the first file of the message that is kept apart; nil: none is.
func openFiles(ctx context.Context, until time.Time, open render.Opener, m *message.Message) (*files, *render.FileError) {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.Blob.IsZero() || open == nil {
			continue
		}
		f := &files{open: open, first: a.Blob}
		f.ctx, f.end = context.WithDeadline(ctx, until)
		data, err := open(f.ctx, a.Blob)
		if err != nil {
			f.end()
			return nil, &render.FileError{Filename: a.Filename, Err: err}
		}
		f.ahead = data
		return f, nil
	}
	return nil, nil
}

func (f *files) writeTo(w io.Writer, mail *render.Mail) (err error) {
	if f == nil {
		_, err = mail.WriteTo(w)
	} else {
		_, err = mail.Write(f.ctx, w, f.take)
	}
	return err
}

func (f *files) take(ctx context.Context, b message.Blob) (io.ReadCloser, error) {
	if f.ahead == nil || b != f.first {
		return f.open(ctx, b)
	}
	data := f.ahead
	f.ahead = nil
	return data, nil
}

func (f *files) close() {
	if f == nil {
		return
	}
	if f.ahead != nil {
		_ = f.ahead.Close() // nothing of it was read
	}
	f.end()
}

// unreadable is a mail of which a file cannot be read: nothing was sent. It may be
// there later; one that is not what was accepted stays so, and is not sent. Where it is
// kept is for the log, not for those who posted it.
func (m *Mailer) unreadable(ctx context.Context, err *render.FileError) *message.SendError {
	m.log.WarnContext(ctx, "attachment cannot be read: mail broken off before its final dot", "error", err,
		"remedy", "bring back what the error names; the mail is tried again, unless its bytes are others than were accepted")
	e := &message.SendError{
		Fault: message.FaultTemporary, RelayHost: m.host.addr, Err: err,
		Text: clean(fmt.Sprintf("the attachment %q cannot be read now", err.Filename)),
	}
	if errors.Is(err, message.ErrBlobDamaged) {
		e.Fault, e.Reason = message.FaultPermanent, message.ReasonRender
		e.Text = clean(fmt.Sprintf("the attachment %q: %v", err.Filename, message.ErrBlobDamaged))
	}
	return e
}
