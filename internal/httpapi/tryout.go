package httpapi

import (
	"errors"
	"net/http"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
	"github.com/postrider/postrider/internal/wire"
)

// plainQuery refuses every parameter.
func plainQuery(raw string) error {
	q, err := newQuery(raw)
	if err != nil {
		return err
	}
	return q.faults.Err()
}

// plain lets only requests without parameters through. One that was passed over might
// have been meant to keep the call from doing what it does, or to choose for whom.
func plain(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := plainQuery(r.URL.RawQuery); err != nil {
			return err
		}
		return h(w, r)
	}
}

// dryRun reads the parameter of a post. Any other is an error: one that is
// misspelt would send the email.
func dryRun(raw string) (bool, error) {
	if raw == "" {
		return false, nil
	}
	q, err := newQuery(raw, "dry_run")
	if err != nil {
		return false, err
	}
	s := q.given("dry_run")
	if s != "" && s != "true" && s != "false" {
		q.fault("dry_run", message.CodeInvalidField, "must be true or false")
	}
	return s == "true", q.faults.Err()
}

// maxPreview is how much of the mail the answer to a dry run shows, in bytes.
const maxPreview = 16 << 10

// tryOut answers what would be sent, and stores nothing.
func (a *api) tryOut(w http.ResponseWriter, r *http.Request, draft *message.Draft) error {
	var run wire.DryRun
	err := a.Check.Check(r.Context(), grantOf(r), draft, func(m *message.Message) (err error) {
		run, err = preview(m, draft)
		return err
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, run)
}

// preview tells what the draft, which was found valid as m, would come to.
func preview(m *message.Message, draft *message.Draft) (wire.DryRun, error) {
	mail, err := render.New(m)
	var unrendered *message.SendError
	if errors.As(err, &unrendered) {
		return wire.DryRun{}, fault(message.CodeValidation, unrendered.Text)
	}
	if err != nil {
		return wire.DryRun{}, err
	}
	beginning := &start{room: maxPreview}
	if _, err := mail.WriteTo(beginning); err != nil && !errors.Is(err, errFull) {
		return wire.DryRun{}, err
	}
	return wire.NewDryRun(m, draft, wire.Preview{Size: mail.Size(), UTF8: mail.UTF8(), Start: string(beginning.text)}), nil
}

var errFull = errors.New("enough was written")

// start keeps the beginning of what is written, and ends the writing there: a
// file of 25 MB need not be encoded to be left out.
type start struct {
	text []byte
	room int
}

// Write implements io.Writer.
func (s *start) Write(p []byte) (int, error) {
	n := min(len(p), s.room)
	s.text, s.room = append(s.text, p[:n]...), s.room-n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}
