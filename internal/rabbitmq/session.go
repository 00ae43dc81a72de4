package rabbitmq

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
)

const (
	countTimeout = 4 * time.Second  // for a number; under what Ready may take
	askTimeout   = 20 * time.Second // for anything else; a declaration can take its time on a busy cluster
	closeTimeout = 2 * time.Second
)

// session is one connection and all that lives on it. Nothing of it outlives
// it.
type session struct {
	number  uint64 // grows with every session of the link
	conn    *amqp.Connection
	socket  net.Conn
	closed  chan *amqp.Error
	blocks  chan amqp.Blocking
	alarm   *alarm
	outlets map[message.Lane]*outlet
	counter *counter

	missing chan struct{} // something has to be declared again; holds one wish
	faults  atomic.Pointer[map[string]*TopologyError]

	mu   sync.Mutex
	over bool           // closed: its channels went with it
	late sync.WaitGroup // channels that are being closed
}

func newSession(number uint64, conn *amqp.Connection, socket net.Conn, t topology, window int) *session {
	s := &session{
		number:  number,
		conn:    conn,
		socket:  socket,
		closed:  conn.NotifyClose(make(chan *amqp.Error, 1)),
		blocks:  conn.NotifyBlocked(make(chan amqp.Blocking, 16)),
		alarm:   newAlarm(),
		outlets: map[message.Lane]*outlet{},
		counter: newCounter(),
		missing: make(chan struct{}, 1),
	}
	for _, lane := range message.Lanes() {
		s.outlets[lane] = newOutlet(t.exchange(), t.key(lane), window)
	}
	return s
}

// kill ends the session from our side at once. Everything that waits on it
// returns.
func (s *session) kill() { _ = s.socket.Close() }

// close takes leave of the broker, if it answers soon.
func (s *session) close() {
	timer := time.AfterFunc(closeTimeout, s.kill)
	defer timer.Stop()
	_ = s.conn.CloseDeadline(time.Now().Add(closeTimeout))
	s.kill()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.late.Wait()
}

// discard closes a channel that is not needed any more. The broker does not
// answer while it blocks the connection; the end of the session ends that too.
func (s *session) discard(ch *amqp.Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.late.Go(func() { _ = ch.Close() })
	}
}

// ask calls the broker. The library waits for answers without end; a broker
// that owes one for longer than the limit is as good as gone.
func (s *session) ask(limit time.Duration, question func() error) error {
	timer := time.AfterFunc(limit, s.kill)
	defer timer.Stop()
	return question()
}

// onChannel asks on a channel that is thrown away afterwards.
func (s *session) onChannel(question func(*amqp.Channel) error) error {
	return s.ask(askTimeout, func() error {
		ch, err := s.conn.Channel()
		if err != nil {
			return err
		}
		return errors.Join(question(ch), ch.Close())
	})
}

// wish asks the supervisor to declare what is missing.
func (s *session) wish() {
	select {
	case s.missing <- struct{}{}:
	default: // somebody wished already
	}
}

// fault is nil, or why the lane cannot be used. A dead-letter queue of other
// make is reported but keeps no mail back.
func (s *session) fault(t topology, lane message.Lane) error {
	faults := s.faults.Load()
	if faults == nil {
		return nil
	}
	for _, name := range []string{t.exchange(), t.queue(lane)} {
		if e := (*faults)[name]; e != nil {
			return e
		}
	}
	return nil
}

// alarm is whether the broker has blocked the connection.
type alarm struct {
	mu     sync.Mutex
	reason string
	raised chan struct{} // closed while blocked
}

func newAlarm() *alarm { return &alarm{raised: make(chan struct{})} }

func (a *alarm) set(b amqp.Blocking) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch up := a.reason != ""; {
	case b.Active && !up:
		a.reason = "blocked: " + b.Reason
		close(a.raised)
	case !b.Active && up:
		a.reason = ""
		a.raised = make(chan struct{})
	}
}

// state returns why the connection is blocked, "" if it is not, and what is
// closed once it is.
func (a *alarm) state() (reason string, raised <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason, a.raised
}

// acquire takes the one turn in the channel, or returns why ctx ended first.
func acquire(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
