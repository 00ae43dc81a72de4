package rabbitmq_test

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// proxy stands between a queue and the broker and can fail as a network does.
type proxy struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	conns  map[net.Conn]bool   // both ends of every connection; true: frozen
	said   map[net.Conn][]byte // what each client wrote; nil: nobody listens
	moving sync.WaitGroup
}

// through returns a proxy to the place and the URL that goes through it.
func (p *place) through(t testing.TB) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal("the URL cannot be read")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := forward(t, listener, u.Host)
	u.Host = listener.Addr().String()
	return x, u.String()
}

// forward passes connections to the listener on to the target.
func forward(t testing.TB, listener net.Listener, target string) *proxy {
	x := &proxy{listener: listener, target: target, conns: map[net.Conn]bool{}}
	x.moving.Go(x.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		x.cut()
		x.moving.Wait()
	})
	return x
}

func (x *proxy) accept() {
	for {
		near, err := x.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		far, err := net.Dial("tcp", x.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		x.mu.Lock()
		x.conns[near], x.conns[far] = false, false
		if x.said != nil {
			x.said[near] = []byte{}
		}
		x.mu.Unlock()
		x.moving.Go(func() { x.move(near, far) })
		x.moving.Go(func() { x.move(far, near) })
	}
}

// move copies until either end closes. While frozen it swallows what it reads:
// both ends then wait on a connection that is half open.
func (x *proxy) move(to, from net.Conn) {
	defer x.forget(to, from)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if x.isFrozen(from) {
			continue
		}
		x.note(from, buf[:n])
		if _, err := io.Writer(to).Write(buf[:n]); err != nil {
			return
		}
	}
}

// listen keeps from now on what the clients of new connections write.
func (x *proxy) listen() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.said = map[net.Conn][]byte{}
}

// heard is what each client has written since.
func (x *proxy) heard() [][]byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Values(x.said))
}

func (x *proxy) note(from net.Conn, written []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before, listened := x.said[from]; listened {
		x.said[from] = append(before, written...)
	}
}

func (x *proxy) forget(conns ...net.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range conns {
		delete(x.conns, c)
		_ = c.Close()
	}
}

func (x *proxy) isFrozen(c net.Conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.conns[c]
}

// freeze makes every connection there is now half open. New ones are well.
func (x *proxy) freeze() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		x.conns[c] = true
	}
}

// cut breaks every connection there is.
func (x *proxy) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		_ = c.Close()
	}
}
