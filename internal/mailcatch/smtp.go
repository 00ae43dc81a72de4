package mailcatch

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// The limits of a session. They are generous: the inbox shall show what an
// application sends, not teach it a relay host's habits.
const (
	maxRecipients  = 1000
	maxAddress     = 1000             // bytes; RFC 5321 section 4.5.3.1.3 has 256
	maxLine        = 1 << 20          // bytes; RFC 5321 section 4.5.3.1.6 asks for 1000
	commandTimeout = 5 * time.Minute  // RFC 5321 section 4.5.3.2.7
	dataTimeout    = 10 * time.Minute // from 354 to the final dot
	replyTimeout   = time.Minute
)

func (i *Inbox) newSMTPServer() *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(i.newSession))
	s.Domain = "inbox.localhost"
	s.MaxRecipients = maxRecipients
	s.MaxMessageBytes = i.cfg.MaxBytes
	s.MaxLineLength = maxLine
	s.ReadTimeout = commandTimeout
	s.WriteTimeout = replyTimeout
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(i.cfg.Logger.Handler(), slog.LevelDebug)
	return s
}

func (i *Inbox) newSession(c *smtp.Conn) (smtp.Session, error) {
	tracked, ok := c.Conn().(*conn)
	if !ok {
		return nil, errors.New("connection of an unknown listener")
	}
	return &session{inbox: i, smtp: c, conn: tracked}, nil
}

// session is one client's conversation. The lock is for BDAT, whose Data runs
// beside the goroutine that reads the client's next commands.
type session struct {
	inbox *Inbox
	smtp  *smtp.Conn
	conn  *conn

	mu   sync.Mutex
	env  envelope
	size int64 // announced by the client, 0 if it was not
}

var _ smtp.Session = (*session)(nil)

// errLongAddress: a line may have a megabyte, and what is said beside the mails is kept
// with them.
func errLongAddress() error {
	return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "Address too long"}
}

// Mail implements smtp.Session; every sender is welcome.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	if len(from) > maxAddress {
		return errLongAddress()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	helo := s.smtp.Hostname()
	s.env = envelope{helo: strings.Clone(helo[:min(len(helo), maxAddress)]), from: from}
	if opts != nil {
		s.size = opts.Size
	}
	return nil
}

// Rcpt implements smtp.Session; so is every recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if len(to) > maxAddress {
		return errLongAddress()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env.to = append(s.env.to, to)
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env, s.size = envelope{}, 0
}

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// Data implements smtp.Session: it stores the mail before the 250 is written.
// The reader of go-smtp 0.25.1 does not see the final dot after a line that
// ends in CR CR LF; such a mail, which no correct client sends, ends by the
// timeout.
func (s *session) Data(r io.Reader) error {
	env, size := s.begun()
	if err := s.conn.receive(dataTimeout); err != nil {
		return err
	}
	defer s.conn.received()

	hold := s.inbox.box.reservation()
	defer hold.release()
	raw, err := readAll(r, hold, min(size, s.inbox.cfg.MaxBytes))
	if err != nil {
		return err
	}
	m := newMail(env, raw)
	s.inbox.box.add(m)
	s.inbox.cfg.Logger.Info("inbox: mail taken", "id", m.id, "bytes", len(raw), "recipients", len(env.to))
	return nil
}

func (s *session) begun() (envelope, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.env, s.size
}

// readAll reads r to its end while the mailbox has room for what is arriving.
func readAll(r io.Reader, hold *reservation, expected int64) (string, error) {
	var raw strings.Builder
	if expected > 0 && hold.take(expected) {
		raw.Grow(int(expected))
	}
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		if !hold.cover(int64(raw.Len() + n)) {
			return "", &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "Too much mail is arriving at once, try again later"}
		}
		raw.Write(chunk[:n])
		if errors.Is(err, io.EOF) {
			return trimmed(&raw), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// trimmed drops the spare room a growing builder leaves: it would be kept as
// long as the mail, and no limit would count it.
func trimmed(raw *strings.Builder) string {
	if raw.Cap()-raw.Len() > raw.Len()/8 {
		return strings.Clone(raw.String())
	}
	return raw.String()
}
