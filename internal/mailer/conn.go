package mailer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

var errTooMuch = errors.New("the relay host's reply is too long")

// conn is the TCP connection beneath a session, under TLS if there is any. It
// bounds what is read, since the SMTP client reads replies of any length, and
// counts what is written, since only here it is known whether a byte left.
type conn struct {
	net.Conn
	allowed atomic.Int64 // bytes that may still be read; negative: no bound
	written atomic.Int64
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	left := c.allowed.Load()
	if left == 0 {
		return 0, errTooMuch
	}
	if left > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.Conn.Read(p)
	if left > 0 {
		c.allowed.Add(int64(-n))
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// closeWith closes the connection when ctx ends. The function returned ends
// that bond, and tells whether it was still in force: called again, it says
// false.
func (c *conn) closeWith(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Close() })
}
