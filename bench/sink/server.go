// Package sink is the SMTP server that every system of the benchmark sends to. It
// takes everything, keeps only when each mail came, and costs as little as a server in
// Go can, so that what is measured is who sends.
package sink

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// Server is a running sink. It is safe for concurrent use.
type Server struct {
	Arrivals *Arrivals

	listener net.Listener
	sessions sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]bool
	closed   bool
}

// Listen starts a sink; the caller closes it.
func Listen(addr string) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{Arrivals: &Arrivals{}, listener: l, conns: map[net.Conn]bool{}}
	s.sessions.Go(s.accept)
	return s, nil
}

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends every session and returns when none runs any more.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	err := s.listener.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.sessions.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = true
		s.sessions.Go(func() { s.serve(c) })
		s.mu.Unlock()
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	t := &talk{r: bufio.NewReaderSize(c, 16<<10), w: bufio.NewWriterSize(c, 1<<10), arrivals: s.Arrivals}
	t.say("220 sink ESMTP")
	for t.next() == nil {
	}
	_ = t.w.Flush()
}

// talk is one session.
type talk struct {
	r        *bufio.Reader
	w        *bufio.Writer
	arrivals *Arrivals
	to       int
}

var errQuit = errors.New("the client has quit")

// next answers one command. What was answered goes out when the client waits for it,
// so that a pipelined group costs one write.
func (t *talk) next() error {
	line, err := t.line()
	if err != nil {
		return err
	}
	verb := line[:min(4, len(line))]
	switch {
	case bytes.EqualFold(verb, []byte("EHLO")):
		t.say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 52428800")
	case bytes.EqualFold(verb, []byte("RCPT")):
		t.to = numberOf(line)
		t.say("250 2.1.5 Ok")
	case bytes.EqualFold(verb, []byte("DATA")):
		t.say("354 End data with <CR><LF>.<CR><LF>")
		return t.content()
	case bytes.EqualFold(verb, []byte("QUIT")):
		t.say("221 2.0.0 Bye")
		return errQuit
	default:
		t.say("250 2.0.0 Ok")
	}
	return nil
}

func (t *talk) line() ([]byte, error) {
	if t.r.Buffered() == 0 {
		if err := t.w.Flush(); err != nil {
			return nil, err
		}
	}
	return t.r.ReadSlice('\n')
}

// content reads to the final dot. The mail counts from then: its answer may be read
// by the client before this process runs again.
func (t *talk) content() error {
	for {
		line, err := t.line()
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if string(line) == ".\r\n" {
			t.arrivals.note(t.to, time.Now())
			t.say("250 2.0.0 Ok: queued as SINK")
			return nil
		}
	}
}

func (t *talk) say(reply string) {
	_, _ = t.w.WriteString(reply) // an error shows at the flush
	_, _ = t.w.WriteString("\r\n")
}

// numberOf reads the number of a mail from RCPT TO:<number@…>; -1 is none.
func numberOf(line []byte) int {
	_, rest, _ := bytes.Cut(line, []byte("<"))
	digits, _, found := bytes.Cut(rest, []byte("@"))
	if !found || len(digits) == 0 || len(digits) > 9 {
		return -1
	}
	n := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int(d-'0')
	}
	return n
}
