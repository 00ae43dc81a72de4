package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// kind is which port is called, or which verb of SMTP is due.
type kind string

const (
	kAccept     kind = "accept"
	kReplay     kind = "replay"
	kDispatch   kind = "dispatch"
	kCommit     kind = "dispatch: commit"
	kDue        kind = "due"
	kBell       kind = "bell"
	kClaim      kind = "claim"
	kRenew      kind = "renew"
	kMark       kind = "mark"
	kRecord     kind = "record"
	kBury       kind = "bury"
	kClock      kind = "clock"
	kLeases     kind = "sweep leases"
	kLost       kind = "sweep lost copies"
	kExpired    kind = "sweep expired"
	kRepair     kind = "repair all"
	kCancel     kind = "cancel"
	kRetry      kind = "retry"
	kReschedule kind = "reschedule"

	kPublish kind = "publish"
	kConfirm kind = "confirm"
	kReady   kind = "ready"
	kDeliver kind = "deliver"
	kVerdict kind = "verdict"

	kSMTP  kind = "smtp "
	kDot   kind = "smtp dot"
	kReply kind = "smtp reply"
	kProbe kind = "smtp probe"

	kAsk  kind = "ask"
	kHear kind = "hear"

	kPost   kind = "post"
	kAnswer kind = "answer"
)

// call is a call of a port that waits for the scheduler to let it go on.
type call struct {
	proc     *process
	kind     kind
	content  string
	answered bool // the work is done, only the answer is on its way
	key      string
	ready    func() bool // nil: always
	after    time.Time   // not before; zero: at once
	deadline time.Time   // gives up then; zero: never
	leave    chan leave
}

func (c *call) store() bool {
	switch c.kind {
	case kAccept, kReplay, kDue, kDispatch, kCommit, kClaim, kRenew, kMark, kRecord, kBury, kClock, kLeases, kLost, kExpired, kRepair,
		kCancel, kRetry, kReschedule:
		return true
	}
	return false
}

// ending is how the scheduler lets a call go.
type ending int

const (
	proceed ending = iota
	refuse         // nothing is done
	lose           // it is done, and the answer never comes
	expired        // its deadline or its context ended first
	crashed        // its process is no more: nothing it does has an effect
	held           // it is not let go yet
)

func (e ending) String() string {
	return [...]string{"", " REFUSED", " DONE, REPLY LOST", " GIVEN UP", " CRASHED", ""}[e]
}

// leave is what a call is told when it may go on.
type leave struct {
	end   ending
	fault Fault  // to be played by the fake itself
	late  bool   // the answer is another step
	roll  uint64 // for decisions of the fake
	then  script // for the calls within it, where nothing else may happen meanwhile
}

// script is what the next calls are told, without the scheduler.
type script []leave

func (s *script) next() leave {
	if len(*s) == 0 {
		return leave{}
	}
	l := (*s)[0]
	*s = (*s)[1:]
	return l
}

// scripted is the key under which a context holds a *script.
type scripted struct{}

var errCut = errors.New("simulated: no answer")

// err is what a port answers where the call did not go through.
func (l leave) err() error {
	if l.end == proceed {
		return nil
	}
	return fmt.Errorf("%w: %w", message.ErrUnavailable, errCut)
}

// park hands a call to the scheduler and waits for its leave.
func (w *world) park(ctx context.Context, c *call) leave {
	if c.proc.dead.Load() {
		return leave{end: crashed}
	}
	if ctx.Err() != nil {
		return leave{end: expired}
	}
	if s, ok := ctx.Value(scripted{}).(*script); ok {
		return s.next()
	}
	if c.answered {
		c.content += " answered"
	}
	c.key = c.proc.name + "\x00" + string(c.kind) + "\x00" + c.content
	c.leave = make(chan leave, 1)
	w.insert(c)
	select {
	case l := <-c.leave:
		return l
	case <-ctx.Done():
		w.withdraw(c)
		return leave{end: expired}
	}
}

// meet orders what follows after the last step. A goroutine that a timer woke ran
// when nothing else did, but neither the race detector nor the memory model can
// know that.
func (w *world) meet() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

// insert keeps what is parked in an order that no arrival changes.
func (w *world) insert(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := len(w.parked)
	for at > 0 && w.parked[at-1].key > c.key {
		at--
	}
	w.parked = append(w.parked, nil)
	copy(w.parked[at+1:], w.parked[at:])
	w.parked[at] = c
	w.arrive()
}

// arrive wakes a scheduler that lets time pass.
func (w *world) arrive() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

func (w *world) withdraw(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.parked {
		if p == c {
			w.parked = append(w.parked[:i], w.parked[i+1:]...)
			return
		}
	}
}

func (w *world) release(c *call, l leave) {
	w.withdraw(c)
	w.trace.call(c, l)
	c.leave <- l
}

// drive lets the simulation run until done says so at a moment in which nothing
// can happen without time passing, or an invariant is broken.
func (w *world) drive(done func() bool) {
	for {
		w.cfg.Wait()
		if w.violation != "" {
			return
		}
		w.steps++
		if w.once(done) {
			return
		}
	}
}

// once takes one step. It reports whether the simulation is done.
func (w *world) once(done func() bool) bool {
	now := time.Now()
	w.observe(now)
	if w.doomed != nil {
		w.crash(w.doomed, w.doom)
		w.doomed = nil
		return false
	}
	w.revive(now)
	if w.giveUp(now) || w.disturb() {
		return false
	}
	options := w.enabled(now)
	switch {
	case len(options) == 0 && done():
		return true
	case len(options) == 0:
		w.sleep(w.nextEvent(now))
	case w.turbulent && w.dice.IntN(100) < w.profile.pauses:
		w.sleep(now.Add(time.Duration(w.dice.IntN(2000)) * time.Millisecond))
	default:
		c := options[w.dice.IntN(len(options))]
		if l := w.judge(c, now); l.end != held {
			w.release(c, l)
		}
	}
	return false
}

// sleep lets virtual time pass until then, or until a call arrives.
func (w *world) sleep(until time.Time) {
	select {
	case <-w.arrived:
	default:
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-w.arrived:
	case <-timer.C:
	}
}

// enabled lists the calls that may go on now.
func (w *world) enabled(now time.Time) []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.options = w.options[:0]
	for _, c := range w.parked {
		if !c.after.After(now) && !c.proc.stalled(now) && !w.unanswered(c, now) && (c.ready == nil || c.ready()) {
			w.options = append(w.options, c)
		}
	}
	return w.options
}

// unanswered: the database hangs.
func (w *world) unanswered(c *call, now time.Time) bool {
	return c.store() && w.database.hangsUntil.After(now)
}

// giveUp ends a call whose deadline has passed. A process that stands still
// notices nothing.
func (w *world) giveUp(now time.Time) bool {
	if c := w.overdue(now); c != nil {
		w.release(c, leave{end: expired})
		return true
	}
	return false
}

func (w *world) overdue(now time.Time) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.parked {
		if !c.deadline.IsZero() && !c.deadline.After(now) && !c.proc.stalled(now) {
			return c
		}
	}
	return nil
}

// nextEvent is when something changes although no call arrives.
func (w *world) nextEvent(now time.Time) time.Time {
	next := now.Add(time.Minute)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	w.mu.Lock()
	for _, c := range w.parked {
		sooner(c.after)
		sooner(c.deadline)
	}
	w.mu.Unlock()
	for _, p := range w.places {
		sooner(p.restart)
		if p.proc != nil {
			sooner(p.proc.stalledUntil)
		}
	}
	for _, t := range []time.Time{w.broker.downUntil, w.broker.missingUntil, w.database.hangsUntil, w.until} {
		sooner(t)
	}
	return next
}
