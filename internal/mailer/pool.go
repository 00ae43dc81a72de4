package mailer

import (
	"sync"
	"time"
)

// pool keeps sessions that are not in use, the one used last on top, so that
// a quiet mailer lets the others grow old and end.
type pool struct {
	most   int
	maxAge time.Duration
	end    func([]*session) // must not block

	mu    sync.Mutex
	idle  []*session // by the time they were put back
	timer *time.Timer
	shut  bool
}

// take returns a kept session, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	s := p.idle[len(p.idle)-1]
	if time.Since(s.idle) >= p.maxAge {
		return nil // the timer is about to end it, and all below it
	}
	p.idle = p.idle[:len(p.idle)-1]
	return s
}

// put keeps a session, or says that it does not.
func (p *pool) put(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut || len(p.idle) >= p.most {
		return false
	}
	s.idle, s.kept = time.Now(), true
	p.idle = append(p.idle, s)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.maxAge, p.reap)
	}
	return true
}

// reap ends the sessions that were not used for too long, and wakes again when
// the next will be.
func (p *pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := 0
	for old < len(p.idle) && time.Since(p.idle[old].idle) >= p.maxAge {
		old++
	}
	p.end(append([]*session(nil), p.idle[:old]...))
	p.idle = append(p.idle[:0], p.idle[old:]...)
	p.timer = nil
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(p.maxAge-time.Since(p.idle[0].idle), p.reap)
	}
}

// close ends all sessions and keeps no more.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.end(p.idle)
	p.idle = nil
}
