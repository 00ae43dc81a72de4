package mailer

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// finish writes the final dot and learns what became of the mail. When ctx ends
// first, nobody does: the outcome is unknown. Late says that the host had to wait for
// it: what it said meanwhile is about that, whatever the code.
func (m *Mailer) finish(ctx context.Context, s *session, late bool) (message.Receipt, error) {
	release := s.conn.closeWith(ctx)
	at, r, err := s.dot(m.cfg.ReplyTimeout)
	if !release() && err == nil { // the reply came with the end of ctx: it counts, the connection is gone
		r.cut = true
	}
	if err != nil {
		s.drop()
		return message.Receipt{}, m.broken(context.WithoutCancel(ctx), at, err)
	}
	taken := at == stageDot && r.class() == 2
	s.dirty = !taken
	if r.cut || r.code == 421 || !taken && r.class() != 4 && r.class() != 5 {
		s.drop()
	} else {
		s.fit = true
	}
	if !taken {
		refused := m.refused(at, r)
		if late && at == stageContent {
			refused.Fault, refused.Reason = message.FaultTemporary, message.ReasonNone
		}
		return message.Receipt{}, refused
	}
	text := m.words(r.text)
	return message.Receipt{RelayHost: m.host.addr, Code: r.code, Enhanced: r.enhanced, Text: text, RemoteID: remoteID(text)}, nil
}

// dot writes the final dot and reads the reply. While no byte of the dot has
// left this host, an error or a refusal still belongs to the content.
func (s *session) dot(patience time.Duration) (at stage, r reply, err error) {
	if r, err = s.early(); err != nil || r.code != 0 {
		return stageContent, r, err
	}
	_ = s.conn.SetDeadline(time.Now().Add(patience)) // a connection closed meanwhile fails at its next use
	before := s.conn.written.Load()
	if err = s.write(".\r\n"); err == nil {
		err = s.text.W.Flush()
	}
	if err != nil && s.conn.written.Load() == before {
		return stageContent, reply{}, err
	}
	if err == nil {
		r, err = readReply(s.reader())
	}
	return stageDot, r, err
}

// early is what the host has said, or that it has gone, while the mark waited: a
// database that is away keeps a session in the midst of a mail for longer than
// hosts wait. A dot written then goes into the void without an error, and the
// mail would count as possibly sent.
func (s *session) early() (farewell reply, err error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(lastWords))
	if s.reader().Buffered() == 0 && !s.conn.readable() {
		return reply{}, nil
	}
	_, err = s.reader().Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return reply{}, nil // TLS may speak for itself
	}
	if err != nil {
		return reply{}, err
	}
	r, err := readReply(s.reader())
	if err == nil && r.class() != 4 && r.class() != 5 {
		err = errOutOfStep // and would be taken for the reply to the dot
	}
	r.cut = true
	return r, err
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
