package mailer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

// envelope is one mail to one recipient. More than one would make the others
// depend on the refusal of one.
type envelope struct {
	from, to string
	mail     *render.Mail
	files    *files
	utf8     bool // needs SMTPUTF8 (RFC 6531)
}

func newEnvelope(work *message.Work) (envelope, error) {
	mail, err := render.New(work.Message)
	if err != nil {
		return envelope{}, err
	}
	e := envelope{from: work.Message.Head.From.Email, to: work.Address, mail: mail}
	for _, address := range []string{e.from, e.to} {
		if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) || address == "" {
			return envelope{}, &message.SendError{
				Fault: message.FaultPermanent, Reason: message.ReasonInvalid, Text: "the address cannot stand in an SMTP command",
			}
		}
	}
	e.utf8 = mail.UTF8() || !isASCII(e.from) || !isASCII(e.to)
	return e, nil
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

// deadError is a kept session that turns out to have ended meanwhile: nobody's
// fault, and nothing was sent.
type deadError struct{ err error }

func (e *deadError) Error() string { return "the kept session had ended: " + e.err.Error() }
func (e *deadError) Unwrap() error { return e.err }

// transact sends one mail over a session, and ends the session where it can
// be of no further use. Until is when the final dot must be written.
func (m *Mailer) transact(ctx context.Context, s *session, e envelope, until time.Time, mark func(context.Context) error) (message.Receipt, error) {
	if err := m.admits(s, e); err != nil {
		s.fit = true
		return message.Receipt{}, err
	}
	if err := m.deliver(ctx, s, e, until); err != nil {
		return message.Receipt{}, err
	}
	began := time.Now()
	if err := mark(ctx); err != nil {
		s.drop()
		return message.Receipt{}, fmt.Errorf("before the final dot: %w", err)
	}
	return m.finish(ctx, s, time.Since(began) > lastWords)
}

// admits checks the mail against what the host has announced.
func (m *Mailer) admits(s *session, e envelope) error {
	fail := &message.SendError{Fault: message.FaultPermanent, RelayHost: m.host.addr}
	if e.utf8 && !s.utf8 {
		fail.Reason = message.ReasonSMTPUTF8
		fail.Text = "an address of the mail needs SMTPUTF8, which the relay host does not offer"
		return fail
	}
	if size := e.mail.Size(); s.sizeLimit > 0 && size > s.sizeLimit {
		fail.Reason = message.ReasonRejected
		fail.Text = fmt.Sprintf("the mail has %d bytes; the relay host takes at most %d", size, s.sizeLimit)
		return fail
	}
	return nil
}

// deliver does everything but the final dot. All of the content is on the wire
// when it returns nil: what follows is three bytes.
func (m *Mailer) deliver(ctx context.Context, s *session, e envelope, until time.Time) error {
	s.mails++
	release := s.conn.closeWith(ctx)
	_ = s.conn.SetDeadline(until) // a connection closed meanwhile fails at its next use
	at, r, err := s.begin(e)
	if err == nil && r.code == 0 {
		at = stageContent
		r, err = s.content(e)
	}
	if !release() && err == nil && r.code == 0 {
		err = context.Cause(ctx)
	}
	switch {
	case err != nil:
		s.drop()
		return m.deadOr(s.kept && at != stageContent && ctx.Err() == nil && time.Now().Before(until), m.broken(ctx, at, err))
	case r.code == 421 || r.cut || at == stageRset:
		s.drop()
		return m.deadOr(s.kept && farewell(at, r), m.refused(at, r))
	case r.code != 0:
		s.dirty, s.fit = true, true
		return m.refused(at, r)
	}
	return nil
}

// farewell reports whether a reply that ended its session may have been said before
// the command was heard: hosts that have waited too long choose any code.
func farewell(at stage, r reply) bool {
	return at == stageRset || at == stageMail && r.cut || at != stageContent && r.code == 421
}

func (m *Mailer) deadOr(dead bool, failed *message.SendError) error {
	if dead {
		return &deadError{failed}
	}
	return failed
}
