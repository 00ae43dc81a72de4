package limit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"time"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

// silence is how long after its time a sink that answers nothing is waited for.
const silence = 30 * time.Second

// Pipelined notes mails sent a second by a client that writes bytes made beforehand,
// MAIL, RCPT and DATA at once and then the content, over 32 sessions that stay open:
// smtp-pipelined-32.rate. No client can be faster.
func (p Parts) Pipelined(ctx context.Context, run *result.Run, round int) error {
	name := fmt.Sprintf("smtp-pipelined-%d", smtpSessions)
	content, err := rendered()
	if err != nil {
		return failed(err, "%s", name)
	}
	var open closer
	defer func() { open.close() }()
	steps, err := several(smtpSessions, func() (step, error) { return p.writer(ctx, &open, content) })
	if err != nil {
		return failed(err, "%s", name)
	}
	perSecond, err := p.rate(ctx, steps)
	if err != nil {
		return failed(err, "%s", name)
	}
	note(run, round, name, perSecond)
	return nil
}

// rendered is a mail up to and with the final dot. None of its lines begins with a dot.
func rendered() ([]byte, error) {
	m, err := newMail()
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	if _, err := m.WriteTo(&content); err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(content.Bytes(), []byte("\r\n")) {
		content.WriteString("\r\n")
	}
	content.WriteString(".\r\n")
	return content.Bytes(), nil
}

// writer sends the content on a session of its own.
func (p Parts) writer(ctx context.Context, open *closer, content []byte) (step, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Sink)
	if err != nil {
		return nil, err
	}
	s := session{conn, textproto.NewReader(bufio.NewReader(conn))}
	open.add(s.quit)
	if err := conn.SetDeadline(time.Now().Add(p.For + silence)); err != nil {
		return nil, err
	}
	if err := s.exchange([]byte("EHLO bench\r\n"), 220, 250); err != nil {
		return nil, err
	}
	envelope := fmt.Appendf(nil, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", job.From, recipient)
	return func(context.Context) error {
		if err := s.exchange(envelope, 250, 250, 354); err != nil {
			return err
		}
		return s.exchange(content, 250)
	}, nil
}

type session struct {
	conn    net.Conn
	replies *textproto.Reader
}

// exchange writes at once and reads a reply of each of these codes.
func (s session) exchange(text []byte, codes ...int) error {
	if _, err := s.conn.Write(text); err != nil {
		return err
	}
	for _, code := range codes {
		if _, _, err := s.replies.ReadResponse(code); err != nil {
			return err
		}
	}
	return nil
}

func (s session) quit() error {
	// A session that failed may answer nothing, and is closed however that goes.
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_ = s.exchange([]byte("QUIT\r\n"), 221)
	return s.conn.Close()
}
