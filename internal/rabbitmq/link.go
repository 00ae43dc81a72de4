package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	// A session that lasted so long was a good one: the next attempt is quick.
	goodSession = 10 * time.Second
	// How often a queue that cannot be used is looked at again.
	faultPause = 5 * time.Second
	// How long something missing stays so. Made again at once, a deleted queue
	// is taken for the old one by consumers that were not yet cancelled: see
	// idleRenewal.
	missingPause = time.Second
)

// link keeps one connection to the broker up, whatever happens.
type link struct {
	role     Role
	servers  []server
	dialer   dialer
	topology topology
	window   int
	log      *slog.Logger

	mu      sync.Mutex
	live    *session      // nil while there is none
	changed chan struct{} // closed and replaced when live changes
	state   LinkState
	barred  map[message.Lane]string // lanes that cannot be consumed although their queues are well, and why
}

// run connects, watches and connects again until ctx ends. It never gives up:
// a broker that is away for a day is still found when it is back.
func (l *link) run(ctx context.Context) {
	steps := pause.Backoff{First: firstPause, Most: longestPause}
	for n := 0; ; n++ {
		to := l.servers[n%len(l.servers)]
		began := time.Now()
		err := l.attempt(ctx, to)
		if ctx.Err() != nil {
			l.lost(errStopped.Error(), false)
			return
		}
		if time.Since(began) > goodSession {
			steps.Reset()
		}
		l.lost(to.clean(err), denied(err))
		l.log.Warn("broker connection is down", "server", to.address, "error", to.clean(err), "remedy", remedyFor(err))
		if steps.Wait(ctx) != nil {
			return
		}
	}
}

// attempt connects to the server, and returns why there is no session any more.
func (l *link) attempt(ctx context.Context, to server) error {
	l.update(func(s *LinkState) { s.Server = to.address })
	conn, socket, err := l.dialer.dial(ctx, to)
	if err != nil {
		return err
	}
	s := newSession(l.next(), conn, socket, l.topology, l.window)
	defer s.close()
	if err := l.declare(s); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	l.connected(s)
	l.log.Info("broker connected", "server", to.address, "session", s.number)
	return l.watch(ctx, s)
}

// watch serves a session until it ends.
func (l *link) watch(ctx context.Context, s *session) error {
	defer l.gone() // before it is closed: nobody shall begin on it now
	again, blocks := l.recheck(s), s.blocks
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-s.closed:
			if e == nil {
				return errors.New("the connection was closed")
			}
			return e
		case b, open := <-blocks:
			if !open { // with the connection, which s.closed tells
				blocks = nil
				continue
			}
			l.blocked(s, b)
		case <-s.missing:
			if again == nil {
				again = time.After(pause.Jitter(missingPause))
			}
		case <-again:
			if err := l.declare(s); err != nil {
				return fmt.Errorf("declare again: %w", err)
			}
			again = l.recheck(s)
		}
	}
}

// recheck is when the topology is declared again without a wish: never, unless
// something of it cannot be used.
func (l *link) recheck(s *session) <-chan time.Time {
	if len(*s.faults.Load()) == 0 {
		return nil
	}
	return time.After(pause.Jitter(faultPause))
}

// declare makes the topology and keeps what was refused.
func (l *link) declare(s *session) error {
	if reason, _ := s.alarm.state(); reason != "" {
		return nil // no question would be answered; the publisher wishes again
	}
	faults, err := l.topology.declare(s)
	if err != nil {
		return err
	}
	before := s.faults.Swap(&faults)
	for name, fault := range faults {
		if before == nil || (*before)[name] == nil {
			l.log.Error("broker topology", fault.Kind, name, "error", fault)
		}
	}
	l.update(func(state *LinkState) { state.Faults = describe(faults) })
	return nil
}

func describe(faults map[string]*TopologyError) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		texts = append(texts, faults[name].Error())
	}
	return texts
}

// blocked notes that the broker takes nothing from us, or takes it again.
func (l *link) blocked(s *session, b amqp.Blocking) {
	s.alarm.set(b)
	reason := ""
	if b.Active {
		reason = b.Reason
		l.log.Warn("broker takes no messages", "reason", b.Reason, "session", s.number,
			"remedy", "free memory or disk on the broker; messages wait in the database meanwhile")
	} else {
		l.log.Info("broker takes messages again", "session", s.number)
	}
	l.update(func(state *LinkState) { state.Blocked = reason })
}

// next is the number of the session to come.
func (l *link) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Session++
	return l.state.Session
}

func (l *link) connected(s *session) {
	l.set(s)
	l.update(func(state *LinkState) {
		state.Connected, state.Since, state.Refused, state.LastError = true, time.Now(), false, ""
	})
}

// bar notes why the lane cannot be consumed; "": it can.
func (l *link) bar(lane message.Lane, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if why == "" {
		delete(l.barred, lane)
		return
	}
	l.barred[lane] = why
}

// gone takes the session from those who look for one.
func (l *link) gone() { l.set(nil) }

// denied reports whether the broker answered, and would not have us.
func denied(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && (e.Code == amqp.AccessRefused || e.Code == amqp.NotAllowed)
}

func remedyFor(err error) string {
	if denied(err) {
		return "check user, password and virtual host of the broker's URL, and that the user may use that virtual host"
	}
	return "none needed if the broker comes back: connecting is tried again without end; else check the broker's URL"
}

func (l *link) lost(reason string, refused bool) {
	l.gone()
	l.update(func(state *LinkState) {
		if state.Connected || state.Since.IsZero() {
			state.Since = time.Now()
		}
		state.Connected, state.Blocked, state.Faults, state.Refused, state.LastError = false, "", nil, refused, reason
		clear(l.barred)
	})
}

func (l *link) set(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == s {
		return
	}
	l.live = s
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) update(change func(*LinkState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}

// snapshot is the state of the link; of none, where the role is not enabled.
func (l *link) snapshot() LinkState {
	if l == nil {
		return LinkState{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.state
	state.Faults = slices.Clone(state.Faults)
	for _, lane := range slices.Sorted(maps.Keys(l.barred)) {
		state.Faults = append(state.Faults, l.barred[lane])
	}
	return state
}

// session returns the session there is, or waits for one until ctx ends.
func (l *link) session(ctx context.Context) (*session, error) {
	if l == nil {
		return nil, fmt.Errorf("this process has no such link to the broker: %w", message.ErrUnavailable)
	}
	for {
		l.mu.Lock()
		s, changed, last := l.live, l.changed, l.state.LastError
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no broker connection: %s", message.ErrUnavailable, last)
		}
	}
}
