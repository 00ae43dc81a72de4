package smtptest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"sync"
)

// Server is a running scripted SMTP server. It is safe for concurrent use.
type Server struct {
	script   Script
	listener net.Listener
	identity *identity
	sessions sync.WaitGroup
	closing  chan struct{}

	mu       sync.Mutex
	conns    map[net.Conn]bool
	admitted int   // sessions that count against Script.MaxSessions
	used     []int // by rule: how often it applied
	stats    Stats
	done     []Transaction
	changed  chan struct{} // closed on the next change; nil while nobody waits
	closed   bool
}

// T is what New needs of a testing.TB.
type T interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New starts a server for the time of a test.
func New(t T, script Script) *Server {
	t.Helper()
	s, err := Start(script)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server; the caller closes it.
func Start(script Script) (*Server, error) {
	if script.Listen == "" {
		script.Listen = "127.0.0.1:0"
	}
	id, err := newIdentity(script.Cert)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	l, err := net.Listen("tcp", script.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		script: script, listener: l, identity: id, closing: make(chan struct{}),
		conns: map[net.Conn]bool{}, used: make([]int, len(script.Rules)),
		stats: Stats{Steps: map[Step]int{}, Fired: map[int]int{}},
	}
	s.sessions.Go(s.accept)
	return s, nil
}

// Addr is the address the server listens on, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the relay host URL for the server; tls is required, implicit or none,
// and user may be empty.
func (s *Server) URL(tlsParam, user, password string) string {
	u := url.URL{Scheme: "smtp", Host: s.Addr(), RawQuery: "tls=" + tlsParam}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// Roots holds the authority that signed the server's certificate.
func (s *Server) Roots() *x509.CertPool { return s.identity.roots }

// RootPEM is that authority in PEM, for other processes.
func (s *Server) RootPEM() []byte { return s.identity.rootPEM }

// DropIdle closes every connection as it is, as a restart of the relay host
// would; the server goes on listening.
func (s *Server) DropIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Farewell says reply on every connection and closes it, as a host does that has
// waited too long for its client. Those of TLS cannot be told so.
func (s *Server) Farewell(reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_, _ = c.Write([]byte(reply + "\r\n"))
		_ = c.Close()
	}
}

// Close ends all sessions and returns when nothing runs any more.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.closing)
	s.mu.Unlock()
	_ = s.listener.Close()
	s.DropIdle()
	s.sessions.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.enter(c) {
			_ = c.Close()
			return
		}
	}
}

// enter starts a session unless the server is closing.
func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = true
	if most := s.script.MaxSessions; most > 0 && s.admitted == most {
		s.sessions.Go(func() { s.refuse(c) })
		return true
	}
	s.admitted++
	s.stats.Sessions++
	s.stats.Open++
	n := s.stats.Sessions
	s.sessions.Go(func() { s.serve(c, n) })
	return true
}

// serve makes room for another session before the client can know that this one
// has ended, as hosts do that count their clients' sessions.
func (s *Server) serve(c net.Conn, n int) {
	newSession(s, c, n).run()
	s.mu.Lock()
	s.admitted--
	s.mu.Unlock()
	s.forget(c)
	s.note(func(st *Stats) { st.Open-- })
}

// refuse turns a client away that has too many sessions.
func (s *Server) refuse(c net.Conn) {
	newSession(s, c, 0).turnAway()
	s.forget(c)
	s.note(func(st *Stats) { st.Refused++ })
}

func (s *Server) forget(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// rule finds the rule that acts on an event, and counts the event.
func (s *Server) rule(e Event) *Rule {
	var found *Rule
	s.note(func(st *Stats) {
		st.Steps[e.Step]++
		found = s.match(e, st)
	})
	return found
}

func (s *Server) match(e Event, st *Stats) *Rule {
	for i := range s.script.Rules {
		r := &s.script.Rules[i]
		if !r.applies(e) {
			continue
		}
		s.used[i]++
		if n := s.used[i] - r.Skip; n <= 0 || r.Times > 0 && n > r.Times {
			continue
		}
		st.Fired[i]++
		return r
	}
	return nil
}

func (s *Server) tlsConfig() *tls.Config {
	c := &tls.Config{Certificates: []tls.Certificate{s.identity.cert}, MinVersion: tls.VersionTLS10}
	if s.script.TuneTLS != nil {
		s.script.TuneTLS(c)
	}
	return c
}
