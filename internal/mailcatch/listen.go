package mailcatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// The settings that place the inbox, as the user writes them.
const (
	SMTPSetting = "POSTRIDER_INBOX_SMTP_LISTEN"
	HTTPSetting = "POSTRIDER_INBOX_LISTEN"
)

// maxConns bounds the SMTP connections open at once; one more is told 421.
const maxConns = 1024

// ListenError is an address that could not be bound.
type ListenError struct {
	Setting string // the environment variable that holds the address
	Addr    string // host:port as configured
	Err     error  // what the system said
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("%s: cannot listen on %q: %v (choose another host:port, or stop the program that has it)", e.Setting, e.Addr, e.Err)
}

// Unwrap gives the system's error, for errors.Is(err, syscall.EADDRINUSE).
func (e *ListenError) Unwrap() error { return e.Err }

func listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{Setting: setting, Addr: addr, Err: err}
	}
	return l, nil
}

func isClosed(err error) bool {
	return err == nil || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, http.ErrServerClosed) || errors.Is(err, smtp.ErrServerClosed)
}

// connListener knows its open connections, so that a stop can end the idle
// ones at once and leave time to the ones in the middle of a mail. go-smtp's
// own shutdown waits for idle clients too.
type connListener struct {
	net.Listener

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
}

func newConnListener(l net.Listener) *connListener {
	return &connListener{Listener: l, conns: make(map[*conn]struct{})}
}

// Accept implements net.Listener.
func (l *connListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, ok := l.admit(nc); ok {
			return c, nil
		}
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write([]byte("421 4.3.2 Too many connections, try again later\r\n"))
		_ = nc.Close()
	}
}

func (l *connListener) admit(nc net.Conn) (*conn, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining || len(l.conns) >= maxConns {
		return nil, false
	}
	c := &conn{Conn: nc, listener: l}
	l.conns[c] = struct{}{}
	return c, true
}

// drain stops accepting and asks every idle connection to end.
func (l *connListener) drain() {
	_ = l.Close() // closing twice is harmless
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	for c := range l.conns {
		c.drain()
	}
}

// cut closes what drain left.
func (l *connListener) cut() {
	l.mu.Lock()
	open := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

func (l *connListener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// conn is one SMTP connection. While draining, any wait for the next command
// times out at once, which go-smtp turns into a 421 and a close.
type conn struct {
	net.Conn
	listener *connListener

	mu        sync.Mutex
	draining  bool
	receiving bool
}

func (c *conn) Close() error {
	c.listener.forget(c)
	return c.Conn.Close()
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Conn.SetReadDeadline(c.deadline(t))
}

// receive marks the time between DATA and the final dot, at most limit long.
func (c *conn) receive(limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = true
	return c.Conn.SetReadDeadline(time.Now().Add(limit))
}

func (c *conn) received() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = false
}

func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if !c.receiving {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}

func (c *conn) deadline(wanted time.Time) time.Time {
	if c.draining && !c.receiving {
		return time.Now()
	}
	return wanted
}
