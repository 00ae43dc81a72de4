package mailer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// stage is the part of an SMTP session a failure belongs to.
type stage string

const (
	stageConnect  stage = "CONNECT"
	stageEhlo     stage = "EHLO"
	stageStartTLS stage = "STARTTLS"
	stageAuth     stage = "AUTH"
	stageRset     stage = "RSET"
	stageMail     stage = "MAIL"
	stageRcpt     stage = "RCPT"
	stageData     stage = "DATA"
	stageContent  stage = "content"
	stageDot      stage = "final dot"
)

const (
	setUpBytes = 256 << 10 // what may be read until AUTH is done, certificates included
	quitTime   = 5 * time.Second
	lastWords  = time.Second // for the reply of a host that closed while content was written
)

// session is an open SMTP session. One goroutine has it at a time.
type session struct {
	conn *conn
	text *textproto.Conn
	end  func() // forgets it

	pipelining bool
	utf8       bool
	sized      bool  // the host offers SIZE
	sizeLimit  int64 // and takes no larger mails; 0: not known

	mails int       // transactions begun
	dirty bool      // a transaction was refused: RSET before the next
	kept  bool      // has been used before, so it may have ended unnoticed
	fit   bool      // for another mail: not in the midst of one, nor over
	idle  time.Time // since when
}

// reader is where replies come from.
func (s *session) reader() *bufio.Reader { return s.text.R }

// drop closes the connection as it is. After DATA it is the only way out that
// does not send the final dot.
func (s *session) drop() {
	s.end()
	_ = s.conn.Close()
}

// quit takes leave in good form, within a bound, and closes. The host closes
// first, if it will: one that counts its sessions counts this one until then, and
// would refuse another in its place.
func (s *session) quit() {
	_ = s.conn.SetDeadline(time.Now().Add(quitTime))
	if s.write("QUIT\r\n") == nil && s.text.W.Flush() == nil {
		if _, err := readReply(s.reader()); err == nil {
			_ = s.conn.SetDeadline(time.Now().Add(lastWords))
			_, _ = s.reader().ReadByte()
		}
	}
	s.fit = false
	s.drop()
}

func (s *session) write(line string) error {
	_, err := s.text.W.WriteString(line)
	return err
}

// open dials and takes a session up to where MAIL can follow, by the time
// until at the latest.
func (m *Mailer) open(ctx context.Context, until time.Time) (*session, error) {
	if limit := time.Now().Add(m.cfg.DialTimeout); until.After(limit) {
		until = limit
	}
	dialer := net.Dialer{Deadline: until}
	tcp, err := dialer.DialContext(ctx, "tcp", m.host.addr)
	if err != nil {
		return nil, m.broken(ctx, stageConnect, err)
	}
	c := &conn{Conn: tcp}
	c.allowed.Store(setUpBytes)
	s := &session{conn: c, end: m.register(c)}
	release := c.closeWith(ctx)
	at, err := m.setUp(ctx, s, until)
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.drop()
		return nil, m.refusedSetUp(ctx, at, err)
	}
	c.allowed.Store(-1) // from here on readReply bounds each reply
	m.log.DebugContext(ctx, "relay host session opened", "relay_host", m.host.addr)
	return s, nil
}

// setUp greets, encrypts and logs in; it returns the stage it came to.
func (m *Mailer) setUp(ctx context.Context, s *session, until time.Time) (stage, error) {
	if err := s.conn.SetDeadline(until); err != nil {
		return stageConnect, err
	}
	var under net.Conn = s.conn
	if m.host.mode == tlsImplicit {
		c, err := m.implicitTLS(ctx, s.conn)
		if err != nil {
			return stageStartTLS, err
		}
		under = c
	}
	client, err := smtp.NewClient(under, m.host.name)
	if err != nil {
		return stageConnect, err
	}
	if err := client.Hello(m.cfg.HelloName); err != nil {
		return stageEhlo, err
	}
	if at, err := m.secure(client); err != nil {
		return at, err
	}
	s.text = client.Text
	s.learn(client)
	return stageMail, nil
}

func (m *Mailer) implicitTLS(ctx context.Context, c *conn) (net.Conn, error) {
	t := tls.Client(c, m.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// secure encrypts and logs in as the configuration demands. What was received
// before TLS is thrown away with its buffer by StartTLS, so no answer can be
// slipped in ahead of it; the extensions are asked for anew.
func (m *Mailer) secure(client *smtp.Client) (stage, error) {
	if m.host.mode == tlsRequired {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return stageStartTLS, errNoTLS
		}
		if err := client.StartTLS(m.tls); err != nil {
			return stageStartTLS, err
		}
	}
	if m.host.user == "" {
		return stageMail, nil
	}
	_, offered := client.Extension("AUTH")
	auth := m.host.auth(offered)
	if auth == nil {
		return stageAuth, errNoAuth
	}
	return stageAuth, client.Auth(auth)
}

var (
	errNoTLS  = errors.New("the relay host offers no STARTTLS, and tls=required; nothing was sent to it")
	errNoAuth = errors.New("the relay host offers none of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, CRAM-MD5")
)

// auth picks the best mechanism offered; nil if there is none. PLAIN and LOGIN
// show the host the password: New has made sure that only it can see it.
func (h *relayHost) auth(offered string) smtp.Auth {
	list := strings.Fields(strings.ToUpper(offered))
	for _, m := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", scram{smtp.ScramSHA256Auth(h.user, h.password)}},
		{"SCRAM-SHA-1", scram{smtp.ScramSHA1Auth(h.user, h.password)}},
		{"PLAIN", smtp.PlainAuth("", h.user, h.password, h.name, true)},
		{"LOGIN", smtp.LoginAuth(h.user, h.password, h.name, true)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(h.user, h.password)},
	} {
		if slices.Contains(list, m.name) {
			return m.auth
		}
	}
	return nil
}

// learn notes what the host offers.
func (s *session) learn(client *smtp.Client) {
	s.pipelining, _ = client.Extension("PIPELINING")
	s.utf8, _ = client.Extension("SMTPUTF8")
	var size string
	s.sized, size = client.Extension("SIZE")
	s.sizeLimit, _ = strconv.ParseInt(strings.TrimSpace(size), 10, 64)
}
