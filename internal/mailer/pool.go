package mailer

import (
	"sync"
	"time"

	"github.com/postrider/postrider/internal/pause"
)

// pool hands out places, each of which is one session, open or about to be, and
// keeps the sessions that are not in use, the one used last on top, so that a
// quiet mailer lets the others grow old and end. It never calls the network.
type pool struct {
	most   int // kept
	maxAge time.Duration
	end    func(*session) // must not block; its place is given back by release

	mu      sync.Mutex
	limit   limit
	open    int          // places taken: by sessions in use, kept, being opened, taking leave
	opening int          // of these, being opened
	idle    []*session   // by the time they were put back
	waiting []chan place // who came first is first
	reaper  *time.Timer
	retry   *time.Timer
	shut    bool  // keeps no more
	over    error // why it hands out no more
}

func newPool(most int, maxAge time.Duration, end func(*session)) *pool {
	return &pool{
		most: most, maxAge: maxAge, end: end,
		limit: limit{waits: pause.Backoff{First: min(retryLimit, maxAge), Most: maxAge}},
	}
}

// put gives a place back with its session, or says that the session is not
// kept: then its place is still the caller's.
func (p *pool) put(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.idle, s.kept = time.Now(), true
	if len(p.waiting) > 0 {
		p.hand(place{session: s})
		return true
	}
	if p.shut || len(p.idle) >= p.most {
		return false
	}
	p.idle = append(p.idle, s)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.maxAge, p.reap)
	}
	return true
}

// reap ends the sessions that were not used for too long, and wakes again when
// the next will be.
func (p *pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && time.Since(p.idle[0].idle) >= p.maxAge {
		p.end(p.idle[0])
		p.idle = p.idle[1:]
	}
	p.reaper = nil
	if len(p.idle) > 0 {
		p.reaper = time.AfterFunc(p.maxAge-time.Since(p.idle[0].idle), p.reap)
	}
}

// close ends all kept sessions and keeps no more. Who waits is still served.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	for _, s := range p.idle {
		p.end(s)
	}
	p.idle = nil
}

// abandon hands out no more, and tells so all who wait.
func (p *pool) abandon(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = why
	p.fail(why)
	if p.retry != nil {
		p.retry.Stop()
	}
}
