package tap

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Side is who sends a step.
type Side int

// The sides of a connection.
const (
	Client Side = iota + 1
	Server
)

// String implements fmt.Stringer.
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// Event is a step that is about to pass, or has.
type Event struct {
	Proxy *Proxy
	Conn  int    // counted from 1, in the order of arrival
	From  Side   // who sent it
	Step  string // such as basic.publish or CommandComplete
	Text  string // what it says; see AMQP and Postgres

	// Within holds the statements of the Postgres transaction that the step
	// belongs to, its own included, each with its arguments.
	Within string

	link *link
}

// Cut closes both ends of the connection. It may be called from Do and Done.
func (e Event) Cut() { e.link.cut() }

// End is what becomes of the step at which a rule acts.
type End int

// The ends.
const (
	Pass    End = iota // it goes on its way
	Drop               // it does not, and the connection is closed
	Swallow            // it does not; what follows passes
	Mute               // neither does anything that its sender says on the connection from now on
)

// Rule acts at one step: Do, then Wait, then End, and Done once it has passed. One
// without any of these counts the step, and leaves it to other rules to act there.
type Rule struct {
	From   Side   // required
	At     string // the step; required
	Match  string // only where Event.Text contains it
	Within string // only where Event.Within contains it
	Skip   int    // let that many pass first
	Times  int    // act that often, then no more; 0: always

	Do   func(Event)     // called before the step passes, and waited for
	Wait <-chan struct{} // then the step is held until this is closed
	End  End
	Done func(Event) // called once it has passed, before anything that follows
}

// counts reports whether the rule does nothing but count.
func (r *Rule) counts() bool { return r.Do == nil && r.Wait == nil && r.End == Pass && r.Done == nil }

func (r *Rule) applies(e Event) bool {
	return r.From == e.From && r.At == e.Step && strings.Contains(e.Text, r.Match) && strings.Contains(e.Within, r.Within)
}

// Arm puts a rule in force, on several proxies as if they were one. Of several
// rules that would act at a step, the one armed first whose turn it is does.
func Arm(r Rule, on ...*Proxy) *Trigger {
	t := &Trigger{rule: r, on: on, changed: make(chan struct{})}
	for _, p := range on {
		p.arm(t)
	}
	return t
}

// Trigger is a rule in force. Safe for concurrent use.
type Trigger struct {
	rule Rule
	on   []*Proxy

	mu      sync.Mutex
	seen    int // how often the rule applied
	fired   int // how often it acted
	changed chan struct{}
}

// Fired returns how often the rule has acted. It is counted before Do is called.
func (t *Trigger) Fired() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fired
}

// Await waits until the rule has begun to act n times. Its error is that of ctx.
func (t *Trigger) Await(ctx context.Context, n int) error {
	for {
		t.mu.Lock()
		fired, changed := t.fired, t.changed
		t.mu.Unlock()
		if fired >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%v %s %q did not pass: %w", t.rule.From, t.rule.At, t.rule.Match+t.rule.Within, ctx.Err())
		}
	}
}

// Disarm puts the rule out of force. What it does at this moment goes on.
func (t *Trigger) Disarm() {
	for _, p := range t.on {
		p.disarm(t)
	}
}

// turn reports whether the rule acts at the event, which it counts.
func (t *Trigger) turn(e Event) bool {
	if !t.rule.applies(e) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
	if n := t.seen - t.rule.Skip; n <= 0 || t.rule.Times > 0 && n > t.rule.Times {
		return false
	}
	t.fired++
	close(t.changed)
	t.changed = make(chan struct{})
	return true
}
