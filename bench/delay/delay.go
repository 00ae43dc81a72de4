// Package delay is a network that is long: a TCP proxy behind which a server seems to
// be far away.
package delay

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy forwards connections to one server. It is safe for concurrent use.
type Proxy struct {
	target   string
	oneWay   time.Duration
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// Listen starts a proxy on a free port of the loopback; the caller closes it. Each
// piece of data arrives half the round trip after it was sent, in either direction, in
// order, and without holding up what follows it, as on a long line of any width. To
// connect takes no longer than without.
func Listen(target string, roundTrip time.Duration) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("delay: %w", err)
	}
	p := &Proxy{target: target, oneWay: roundTrip / 2, listener: l, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where it listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close breaks off every connection and returns when nothing runs any more.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	err := p.listener.Close()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.connect(client) })
	}
}

func (p *Proxy) connect(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.hold(client, server) {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { carry(server, client, p.oneWay) })
	ways.Go(func() { carry(client, server, p.oneWay) })
	ways.Wait()
	p.drop(client, server)
}

// hold reports whether the proxy still runs; then Close will end the connections.
func (p *Proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
			continue
		}
		p.conns[c] = true
	}
	return !p.closed
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// piece is data on its way.
type piece struct {
	data []byte
	due  time.Time
}

// underWay is how many pieces may be on their way in one direction: more than an SMTP
// session ever has.
const underWay = 1024

// carry brings everything from one connection to the other, each piece after oneWay,
// and then the end. What cannot be written any more is read all the same, so that its
// sender learns of the end from the other direction.
func carry(to, from net.Conn, oneWay time.Duration) {
	line := make(chan piece, underWay)
	var arriving sync.WaitGroup
	arriving.Go(func() { deliver(to, line) })
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			line <- piece{bytes.Clone(buffer[:n]), time.Now().Add(oneWay)}
		}
		if err != nil {
			break
		}
	}
	line <- piece{due: time.Now().Add(oneWay)}
	close(line)
	arriving.Wait()
}

// deliver writes each piece when it is due. One without data is the end.
func deliver(to net.Conn, line <-chan piece) {
	var failed error
	for p := range line {
		if wait := time.Until(p.due); wait > 0 {
			<-time.After(wait)
		}
		switch {
		case p.data == nil:
			failed = errors.Join(failed, hangUp(to))
		case failed == nil:
			_, failed = to.Write(p.data)
		}
	}
}

// hangUp says that nothing more comes, which the other direction may outlive.
func hangUp(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
