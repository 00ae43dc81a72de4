package rabbitmq

import (
	"context"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	connectTimeout   = 5 * time.Second  // TCP
	handshakeTimeout = 10 * time.Second // TCP, TLS and the AMQP handshake together
	writeTimeout     = 5 * time.Second  // one write to the socket
)

// dialer opens connections of one role.
type dialer struct {
	heartbeat time.Duration
	name      string // as the broker shows it
}

// dial connects to the server. The socket is returned beside the connection
// because closing it is the only way to end a call of the library that hangs.
func (d dialer) dial(ctx context.Context, to server) (*amqp.Connection, net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	var opened net.Conn
	release := func() bool { return true }
	conn, err := amqp.DialConfig(to.url, amqp.Config{
		Heartbeat:  d.heartbeat,
		Properties: amqp.Table{"product": "Postrider", "platform": "Go", "connection_name": d.name},
		Dial: func(network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			opened = socket{c}
			release = context.AfterFunc(ctx, func() { _ = c.Close() }) // the handshake knows no context
			return opened, nil
		},
	})
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if opened != nil {
			_ = opened.Close() // else the library's reader would stay
		}
		return nil, nil, fmt.Errorf("connect to %s: %w", to.address, err)
	}
	return conn, opened, nil
}

// socket puts a deadline on every write. Heartbeats find a peer that is gone
// only while nothing is being written: a write into a full send buffer would
// otherwise hang as long as TCP tries.
type socket struct{ net.Conn }

// Write implements net.Conn.
func (s socket) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}
