package mailer

import (
	"time"

	"github.com/postrider/postrider/internal/pause"
)

// retryLimit is how soon after a refusal one session more is tried; after each
// that is refused, more seldom.
const retryLimit = time.Second

// limit is how many sessions the relay host admits, learned from its refusals:
// it announces no number, and the number changes with what other clients do.
// Not safe for concurrent use.
type limit struct {
	most  int // sessions; 0: not known
	again time.Time
	waits pause.Backoff

	doubted bool // a session was refused while none was open
}

// allows reports whether one session more may be opened beside those that are
// open, of which some still are being opened. Beyond the limit that is a try,
// one at a time, until one is refused.
func (l *limit) allows(open, opening int) bool {
	return l.most == 0 || open < l.most || opening == 0 && !time.Now().Before(l.again)
}

// refused learns from a refusal while others are open, and whether that is the
// first. A refusal within the limit is one of a host that has not yet noticed
// the end of a session, or admits fewer now: that is tried again soon.
func (l *limit) refused(others int) (first bool) {
	first = l.most == 0
	if others < l.most {
		l.waits.Reset()
	}
	l.most = others
	l.again = time.Now().Add(l.waits.Step())
	return first
}

// refusedAll learns from a refusal while none is open, and whether it is to be
// believed. The first is not where sessions were admitted before: those may have
// been open still when it was said, or the host has not noticed their end.
func (l *limit) refusedAll() (believed bool) {
	if l.most > 0 && !l.doubted {
		l.most, l.doubted = 1, true
		return false
	}
	l.forget()
	return true
}

// admitted learns that so many are open.
func (l *limit) admitted(open int) {
	l.doubted = false
	if l.most > 0 {
		l.most = max(l.most, open)
	}
}

// forget is for when none is open any more.
func (l *limit) forget() {
	l.most, l.doubted = 0, false
	l.waits.Reset()
}
