package tap

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
)

// Proxy passes connections on to a service. Safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	tongue   func(near, far net.Conn) (client, server reader, err error)
	closing  chan struct{}
	tasks    sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	refusing bool
	conns    int
	links    map[*link]bool
	triggers []*Trigger
}

func start(target string, tongue func(near, far net.Conn) (client, server reader, err error)) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{
		listener: l, target: target, tongue: tongue,
		closing: make(chan struct{}), links: map[*link]bool{},
	}
	p.tasks.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Through returns the URL with the proxy's address in place of its host.
func (p *Proxy) Through(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("read the URL of the service: %w", err)
	}
	u.Host = p.Addr()
	return u.String(), nil
}

// Arm puts a rule in force on this proxy alone.
func (p *Proxy) Arm(r Rule) *Trigger { return Arm(r, p) }

func (p *Proxy) arm(t *Trigger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.triggers = append(p.triggers, t)
}

func (p *Proxy) disarm(t *Trigger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.triggers = slices.DeleteFunc(p.triggers, func(o *Trigger) bool { return o == t })
}

// Refuse closes every connection, and new ones as they come, until it is called
// with false.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	p.refusing = refuse
	p.mu.Unlock()
	if refuse {
		p.Cut()
	}
}

// Cut closes every connection there is. New ones are well.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Close ends everything and returns when nothing runs any more. It must not be
// called from a rule.
func (p *Proxy) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut()
	p.tasks.Wait()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.serve(near) })
	}
}

// serve connects one client with the service, as long as both stay.
func (p *Proxy) serve(near net.Conn) {
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = near.Close()
		return
	}
	l := &link{proxy: p, near: near, far: far}
	defer l.cut()
	if !p.enter(l) {
		return
	}
	defer p.leave(l)
	client, server, err := p.tongue(near, far)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { l.pass(Server, server, near) })
	l.pass(Client, client, far)
	back.Wait()
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refusing {
		return false
	}
	p.conns++
	l.n = p.conns
	p.links[l] = true
	return true
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// rule finds the rule that acts at the event. Those that only count do so beside
// it.
func (p *Proxy) rule(e Event) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found *Rule
	for _, t := range p.triggers {
		if counts := t.rule.counts(); (counts || found == nil) && t.turn(e) && !counts {
			found = &t.rule
		}
	}
	return found
}
