package rig

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Cable is a TCP connection to a service that can be cut and mended. It is safe for
// concurrent use.
type Cable struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// NewCable leads to target, host:port; the caller closes it.
func NewCable(target string) (*Cable, error) { return NewCableAt("127.0.0.1:0", target) }

// NewCableAt is NewCable with its near end at an address.
func NewCableAt(addr, target string) (*Cable, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Cable{listener: l, target: target, conns: map[net.Conn]bool{}}
	go c.run()
	return c, nil
}

// Addr is the cable's near end.
func (c *Cable) Addr() string { return c.listener.Addr().String() }

// Through returns the URL with the cable's address in place of its host.
func (c *Cable) Through(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("cable: %w", err)
	}
	u.Host = c.listener.Addr().String()
	return u.String(), nil
}

// Cut closes every connection and refuses new ones.
func (c *Cable) Cut() { c.set(true) }

// Mend lets new connections through again.
func (c *Cable) Mend() { c.set(false) }

// Close ends the cable for good.
func (c *Cable) Close() {
	_ = c.listener.Close()
	c.Cut()
}

func (c *Cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; cut {
		for conn := range c.conns {
			_ = conn.Close()
		}
	}
}

func (c *Cable) run() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil || !c.plug(near, far) {
			_ = near.Close()
			continue
		}
		go c.pump(near, far)
		go c.pump(far, near)
	}
}

func (c *Cable) plug(near, far net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		_ = far.Close()
		return false
	}
	c.conns[near], c.conns[far] = true, true
	return true
}

func (c *Cable) pump(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, to)
	delete(c.conns, from)
}
