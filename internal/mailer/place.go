package mailer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// place is what a wait for one comes to: a kept session, or leave to open one,
// or the reason why there is none.
type place struct {
	session *session
	err     error
}

// acquire returns a kept session, or nil: leave to open one, which opened or
// failed must follow. Where there is neither it waits, in the order of asking,
// until ctx ends or the time until has come. A session beside an error was handed
// over too late for the caller: it is to be put back.
func (p *pool) acquire(ctx context.Context, until time.Time) (*session, error) {
	got, turn := p.ask()
	if turn == nil {
		return got.session, got.err
	}
	late := time.NewTimer(time.Until(until))
	defer late.Stop()
	select {
	case got = <-turn:
		return got.session, got.err
	case <-late.C:
		return p.leave(turn), fmt.Errorf("the relay host admits no more sessions, and none came free: %w", os.ErrDeadlineExceeded)
	case <-ctx.Done():
		return p.leave(turn), context.Cause(ctx)
	}
}

// ask answers at once, or with where the answer will come.
func (p *pool) ask() (got place, turn chan place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		if got, ok := p.next(); ok {
			return got, nil
		}
	}
	turn = make(chan place, 1)
	p.waiting = append(p.waiting, turn)
	return place{}, turn
}

// leave gives up waiting; it returns a session that was handed over meanwhile.
func (p *pool) leave(turn chan place) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, turn); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil
	}
	got := <-turn
	if got.session == nil && got.err == nil {
		p.lose(nil)
	}
	return got.session
}

// serve hands out what there is, to one who waits each: waking all for one
// session would be a stampede for every mail. Called with the lock held.
func (p *pool) serve() {
	for len(p.waiting) > 0 {
		got, ok := p.next()
		if !ok {
			return
		}
		p.hand(got)
	}
}

// hand answers the one who waits longest.
func (p *pool) hand(got place) {
	p.waiting[0] <- got
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

func (p *pool) next() (got place, ok bool) {
	if p.over != nil {
		return place{err: p.over}, true
	}
	if last := len(p.idle) - 1; last >= 0 && time.Since(p.idle[last].idle) < p.maxAge { // else they are about to be reaped
		got.session = p.idle[last]
		p.idle = p.idle[:last]
		return got, true
	}
	return got, p.reserve()
}

func (p *pool) reserve() bool {
	if !p.limit.allows(p.open, p.opening) {
		return false
	}
	p.open++
	p.opening++
	return true
}

// try is acquire for leave to open a session only, at once or not at all.
func (p *pool) try() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over == nil && len(p.waiting) == 0 && p.reserve()
}

// reopen turns the place of a session that has ended into leave to open one,
// unless nothing is handed out any more: then the place is gone.
func (p *pool) reopen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		p.open--
		return false
	}
	p.opening++
	return true
}

// opened says that leave to open a session came to one.
func (p *pool) opened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening--
	p.limit.admitted(p.open - p.opening)
	p.serve()
}

// refused says that the host has admitted no session, though it answers. Where
// it admits others, or may yet, the answer is true: ask again, one of them will
// come free; learned is whether that is new. Else it is told to all who wait:
// they would learn nothing else.
func (p *pool) refused(why error) (again, learned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch others := p.open - 1; {
	case others > 0:
		learned = p.limit.refused(others)
		p.retryLater()
	case p.limit.refusedAll():
		p.lose(why)
		return false, false
	}
	p.lose(nil)
	return true, learned
}

// failed says that leave to open a session came to nothing; why is nil where
// the host had no part in it.
func (p *pool) failed(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose(why)
}

func (p *pool) lose(why error) {
	p.open--
	p.opening--
	if why != nil && p.open == 0 {
		p.limit.forget()
		p.fail(why)
	}
	p.serve()
}

func (p *pool) fail(why error) {
	for len(p.waiting) > 0 {
		p.hand(place{err: why})
	}
}

// retryLater serves those who wait when the limit may be tried: until then
// nothing else might happen.
func (p *pool) retryLater() {
	if p.retry != nil {
		p.retry.Stop()
	}
	p.retry = time.AfterFunc(time.Until(p.limit.again), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.serve()
	})
}

// release gives a place back whose session has ended.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.serve()
}
