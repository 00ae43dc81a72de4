package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
	"github.com/postrider/postrider/internal/wire"
)

// getContent answers the mail, byte for byte as every recipient gets it. Files
// that are being read for such answers count against the sum of all bodies, and
// are encoded only while they are written.
func (a *api) getContent(w http.ResponseWriter, r *http.Request) error {
	view, err := a.emailOf(r)
	if err != nil {
		return err
	}
	size := weigh(&view.Message)
	if !a.intake.all.TryAcquire(size) {
		return fault(codeOverloaded, "too many large emails are being read at once; repeat this request shortly")
	}
	defer a.intake.all.Release(size)
	m, err := a.Contents.Message(r.Context(), tenantOf(r), view.Message.ID)
	if err != nil {
		return err
	}
	mail, err := render.New(m)
	if err != nil {
		return unrendered(err)
	}
	if err := a.readable(r.Context(), m); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "message/rfc822")
	h.Set("Content-Disposition", `attachment; filename="`+m.ID.String()+`.eml"`)
	h.Set("Content-Length", strconv.FormatInt(mail.Size(), 10))
	if r.Method == http.MethodHead { // nobody sees the mail
		return nil
	}
	// The peer may be gone, and a file that fails now leaves the answer shorter than it
	// said, which the peer sees: there is nobody else to tell.
	_, _ = mail.Write(r.Context(), w, a.OpenBlob)
	return nil
}

// emailOf finds the email of a request that takes no parameters.
func (a *api) emailOf(r *http.Request) (message.View, error) {
	if err := plainQuery(r.URL.RawQuery); err != nil {
		return message.View{}, err
	}
	id, err := pathID(r)
	if err != nil {
		return message.View{}, err
	}
	return a.Emails.Email(r.Context(), tenantOf(r), id)
}

// readable looks for the first file that is kept apart while an answer can still say
// that it is away.
func (a *api) readable(ctx context.Context, m *message.Message) error {
	for i := range m.Attachments {
		if m.Attachments[i].Blob.IsZero() || a.OpenBlob == nil {
			continue
		}
		data, err := a.OpenBlob(ctx, m.Attachments[i].Blob)
		if err != nil {
			trailOf(ctx).err = err
			return fault(codeUnavailable, "an attachment cannot be read now; repeat the request later")
		}
		return data.Close()
	}
	return nil
}

// weigh is about the number of bytes that a message takes while it is written.
func weigh(m *message.Message) int64 {
	n := int64(len(m.Content.HTML) + len(m.Content.Text))
	for _, a := range m.Attachments {
		if a.Blob.IsZero() { // else it is read in pieces
			n += a.Size
		}
	}
	return n
}

// unrendered is an email that no mail can be made of: its recipients failed, or
// will, with the reason render_error.
func unrendered(err error) error {
	var e *message.SendError
	if errors.As(err, &e) && e.Reason == message.ReasonRender {
		return fault(codeNotFound, "there is no mail of this email: "+e.Text)
	}
	return err
}

// listEvents answers what happened to an email.
func (a *api) listEvents(w http.ResponseWriter, r *http.Request) error {
	view, err := a.emailOf(r)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire.NewEvents(&view))
}
