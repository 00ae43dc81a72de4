package smtptest

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// errEnd ends a session without a further word.
var errEnd = errors.New("session ends")

// session is one connection. Only its own goroutine touches it.
type session struct {
	srv  *Server
	n    int
	tcp  net.Conn // as accepted; ends are made on it
	conn net.Conn // tcp, or TLS over it
	r    *bufio.Reader
	w    *bufio.Writer
	tls  bool
	user string

	count    int          // transactions so far
	counting bool         // content is arriving
	tx       *Transaction // open since MAIL, or nil
	busy     bool         // counted in Stats.Busy
}

func newSession(srv *Server, c net.Conn, n int) *session {
	s := &session{srv: srv, n: n, tcp: c}
	s.use(c)
	return s
}

func (s *session) use(c net.Conn) {
	s.conn = c
	s.r = bufio.NewReaderSize(counter{c, s}, 32<<10)
	s.w = bufio.NewWriterSize(c, 4<<10)
}

func (s *session) run() {
	defer s.end()
	if s.srv.script.TLS == ImplicitTLS && s.handshake() != nil {
		return
	}
	if s.answer(Connect, "", "220 smtptest ESMTP") != nil {
		return
	}
	for {
		line, err := s.readLine()
		if err != nil || s.command(line) != nil {
			return
		}
	}
}

// turnAway says that there are too many sessions.
func (s *session) turnAway() {
	if end := s.srv.script.TurnAway; end == Drop || end == Reset {
		_ = s.cut(end == Reset) // its error says that the session is over
		return
	}
	if s.srv.script.TLS == ImplicitTLS && s.handshake() != nil {
		return
	}
	_ = s.say("421 4.7.0 too many sessions")
	_ = s.w.Flush()
}

// end records a transaction that was cut short.
func (s *session) end() {
	_ = s.w.Flush()
	s.finish()
	s.setBusy(false)
}

// setBusy is told of a mail's beginning, and of its end once the client can know it.
func (s *session) setBusy(busy bool) {
	if s.busy == busy {
		return
	}
	s.busy = busy
	s.srv.note(func(st *Stats) {
		if busy {
			st.Busy++
		} else {
			st.Busy--
		}
	})
}

// readLine flushes what was answered only when the client waits for it, so
// that a pipelined group costs one write.
func (s *session) readLine() (string, error) {
	if s.r.Buffered() == 0 {
		if err := s.w.Flush(); err != nil {
			return "", err
		}
		if s.tx == nil {
			s.setBusy(false)
		}
	}
	line, err := s.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func (s *session) event(at Step, line string) Event {
	e := Event{Session: s.n, Step: at, Line: line, TLS: s.tls}
	if s.tx != nil {
		e.From, e.Rcpts = s.tx.From, s.tx.Rcpts
	}
	return e
}

// answer meets a step: by the rule that acts there, else with the reply given.
func (s *session) answer(at Step, line, reply string) error {
	_, err := s.step(at, line, reply)
	return err
}

// step is answer that also tells what was said.
func (s *session) step(at Step, line, reply string) (string, error) {
	r := s.srv.rule(s.event(at, line))
	if r == nil {
		s.settle(at, reply)
		return reply, s.say(reply)
	}
	return s.act(r, s.event(at, line), reply)
}

func (s *session) act(r *Rule, e Event, reply string) (string, error) {
	if r.Do != nil {
		r.Do(e)
	}
	if err := s.pause(r); err != nil {
		return "", err
	}
	said := cmp.Or(r.Raw, r.Reply)
	switch r.End {
	case Drop, Reset:
		return "", s.cut(r.End == Reset)
	case Silent:
		s.settle(e.Step, said)
		_ = s.say(r.Reply, r.Raw)
		return "", s.silence()
	case Keep, Hangup:
	}
	s.settle(e.Step, cmp.Or(said, reply))
	err := s.say(cmp.Or(r.Reply, reply), r.Raw)
	if r.End == Hangup {
		_ = s.w.Flush()
		err = errEnd
	}
	return cmp.Or(said, reply), err
}

// settle records a mail before the client can read the first byte of the
// answer: a test that looks as soon as its client returns finds it.
func (s *session) settle(at Step, said string) {
	if at == Dot && s.tx != nil && said != "" {
		s.tx.Reply = said
		s.finish()
	}
}

// pause waits as a rule says; what was answered before goes out first.
func (s *session) pause(r *Rule) error {
	if r.Delay == 0 && r.Wait == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	if r.Delay > 0 {
		select {
		case <-time.After(r.Delay):
		case <-s.srv.closing:
			return errEnd
		}
	}
	if r.Wait != nil {
		select {
		case <-r.Wait:
		case <-s.srv.closing:
			return errEnd
		}
	}
	return nil
}

// say writes a reply, or the raw bytes that stand in for it.
func (s *session) say(reply string, raw ...string) error {
	if len(raw) > 0 && raw[0] != "" {
		_, err := s.w.WriteString(raw[0])
		return err
	}
	if reply == "" {
		return nil
	}
	for line := range strings.SplitSeq(reply, "\n") {
		_, _ = s.w.WriteString(line)
		if _, err := s.w.WriteString("\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// cut closes the connection. The mail that it ends is on record before the client can
// see that.
func (s *session) cut(reset bool) error {
	s.finish()
	if tcp, ok := s.tcp.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	} else {
		_ = s.w.Flush()
	}
	_ = s.tcp.Close()
	return errEnd
}

// silence reads on without a word until the client gives up.
func (s *session) silence() error {
	_ = s.w.Flush()
	var scrap [4096]byte
	for {
		if _, err := s.conn.Read(scrap[:]); err != nil {
			return errEnd
		}
	}
}

func (s *session) handshake() error {
	if _, err := s.step(Handshake, "", ""); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	c := tls.Server(s.conn, s.srv.tlsConfig())
	if err := c.Handshake(); err != nil {
		return err
	}
	s.use(c)
	s.tls, s.user = true, ""
	return nil
}
