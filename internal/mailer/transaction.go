package mailer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

// transact sends one mail over a session that is the caller's, and ends or
// keeps the session. Until is when the final dot must be written.
func (m *Mailer) transact(ctx context.Context, s *session, e envelope, until time.Time, mark func(context.Context) error) (message.Receipt, error) {
	if err := m.admits(s, e); err != nil {
		m.keep(s)
		return message.Receipt{}, err
	}
	if err := m.deliver(ctx, s, e, until); err != nil {
		return message.Receipt{}, err
	}
	if err := mark(ctx); err != nil {
		s.drop()
		return message.Receipt{}, fmt.Errorf("before the final dot: %w", err)
	}
	return m.finish(ctx, s)
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
		r, err = s.content(e.mail)
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
		return m.deadOr(s.kept && (r.code == 421 && at != stageContent || at == stageRset), m.refused(at, r))
	case r.code != 0:
		s.dirty = true
		m.keep(s)
		return m.refused(at, r)
	}
	return nil
}

func (m *Mailer) deadOr(dead bool, failed *message.SendError) error {
	if dead {
		return &deadError{failed}
	}
	return failed
}

// command is one line of a transaction and the class of reply it needs.
type command struct {
	at   stage
	line string
	want int
}

func (s *session) commands(e envelope) []command {
	var list []command
	if s.dirty {
		list = append(list, command{stageRset, "RSET\r\n", 2})
	}
	from := "MAIL FROM:<" + e.from + ">"
	if s.sized {
		from += fmt.Sprintf(" SIZE=%d", e.mail.Size())
	}
	if e.utf8 {
		from += " SMTPUTF8"
	}
	return append(list,
		command{stageMail, from + "\r\n", 2},
		command{stageRcpt, "RCPT TO:<" + e.to + ">\r\n", 2},
		command{stageData, "DATA\r\n", 3})
}

var errOutOfStep = errors.New("the relay host has spoken out of turn")

// begin takes the transaction to the 354. Where the host offers PIPELINING (RFC
// 2920) that is one round trip instead of three. It returns the stage it came
// to, and the reply that refused it, if one did.
func (s *session) begin(e envelope) (at stage, refusal reply, err error) {
	list := s.commands(e)
	if s.reader().Buffered() > 0 {
		// Every later answer would be taken for that of the command before.
		return list[0].at, reply{}, errOutOfStep
	}
	sent := 0
	for i, c := range list {
		for ; sent < len(list) && (sent == i || s.pipelining); sent++ {
			if err := s.write(list[sent].line); err != nil {
				return c.at, reply{}, err
			}
		}
		if err := s.text.W.Flush(); err != nil {
			return c.at, reply{}, err
		}
		r, err := readReply(s.reader())
		if err != nil {
			return c.at, reply{}, err
		}
		if r.class() != c.want || r.cut {
			r.cut = r.cut || !s.drain(list[i+1:sent]) || r.class() < 4 || r.class() > 5
			return c.at, r, nil
		}
	}
	s.dirty = false
	return stageData, reply{}, nil
}

// drain reads the replies to commands that were sent ahead of a refusal. False:
// the host now waits for content, which is the same as a lost session.
func (s *session) drain(ahead []command) bool {
	for _, c := range ahead {
		r, err := readReply(s.reader())
		if err != nil || r.cut || r.code == 421 || c.at == stageData && r.class() == 3 {
			return false
		}
	}
	return true
}

// content writes the mail, up to the last byte before the final dot. A host that
// closes in the midst of it may have said why.
func (s *session) content(mail *render.Mail) (refusal reply, err error) {
	w := &stuffer{w: s.text.W, lineStart: true}
	_, err = mail.WriteTo(w)
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

// finish writes the final dot and learns what became of the mail. From here on
// ctx is not heard: only the reply can tell.
func (m *Mailer) finish(ctx context.Context, s *session) (message.Receipt, error) {
	_ = s.conn.SetDeadline(time.Now().Add(m.cfg.ReplyTimeout))
	before := s.conn.written.Load()
	err := s.write(".\r\n")
	if err == nil {
		err = s.text.W.Flush()
	}
	if err != nil && s.conn.written.Load() == before {
		s.drop() // no byte of the dot left this host
		return message.Receipt{}, m.broken(context.WithoutCancel(ctx), stageContent, err)
	}
	var r reply
	if err == nil {
		r, err = readReply(s.reader())
	}
	if err != nil {
		s.drop()
		return message.Receipt{}, m.broken(context.WithoutCancel(ctx), stageDot, err)
	}
	if r.class() != 2 {
		failed := m.refused(stageDot, r)
		if s.dirty = true; r.cut || r.code == 421 || failed.Fault == message.FaultUnknown {
			s.drop()
		} else {
			m.keep(s)
		}
		return message.Receipt{}, failed
	}
	if r.cut {
		s.drop()
	} else {
		m.keep(s)
	}
	return message.Receipt{RelayHost: m.host.addr, Code: r.code, Enhanced: r.enhanced, Text: r.text, RemoteID: remoteID(r.text)}, nil
}

// remoteID finds the relay host's own name for the mail in the words of
// Postfix, Exim, Sendmail and Amazon SES; empty if it is not among them.
func remoteID(text string) string {
	const longest = 255
	id := ""
	words := strings.Fields(text)
	for i, w := range words {
		switch next := i + 1; {
		case w == "as" && i > 0 && words[i-1] == "queued" && next < len(words): // Ok: queued as 4F1C2
			id = words[next]
		case strings.HasPrefix(w, "id="): // OK id=1r2bXy-0004Tz-2d
			id = strings.TrimPrefix(w, "id=")
		case w == "Message" && i == 1 && strings.HasPrefix(strings.Join(words[i:], " "), "Message accepted"):
			id = words[0] // 3BH8x0Qc Message accepted for delivery
		case len(words) == 2 && i == 1 && strings.EqualFold(words[0], "Ok") && len(w) >= 20: // Ok 0102018c...
			id = w
		}
	}
	if id = strings.Trim(id, "<>;,."); len(id) > longest {
		return ""
	}
	return id
}
