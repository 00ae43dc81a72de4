package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// stepLimit is how long a step may take to come.
const stepLimit = time.Minute

// episode is one repetition of a point: a mail, and what is done to the process
// that has it.
type episode struct {
	*scene
	point     *killPoint
	n         int
	onUnknown message.OnUnknown
	address   string // of the mail's one recipient; its sender has the same local part
	mail      rig.Mail

	answered int // calls of the scene answered 2xx before this one
	extra    int // mails posted beside it

	struck   time.Time // when the fault was made
	sends    int       // how many outcomes it can have robbed
	victim   *rig.Member
	back     *tap.Trigger // passed when the victim works again
	trouble  error        // from within a step
	claiming sync.Mutex
	claims   []tap.Event

	spied []*tap.Trigger // rules to be put out of force at the end
	after func(context.Context) error
}

func (s *scene) episode(p *killPoint, n int, onUnknown message.OnUnknown) *episode {
	e := &episode{scene: s, point: p, n: n, onUnknown: onUnknown, answered: s.calls.Accepted()}
	name := fmt.Sprintf("%s-%s-%d", p.name, onUnknown, n)
	e.address = name + "@example.com"
	e.mail = e.letter(name, nil)
	return e
}

// letter is a mail known by its key, which begins the addresses of its sender and
// of its recipient.
func (e *episode) letter(key string, more map[string]any) rig.Mail {
	email := map[string]any{
		"from": key + "@sender.example", "to": []string{key + "@example.com"}, "subject": "At an exact step",
		"text": "It is told in a hundred characters and more, so that there is a midst of it at which a worker can die.", "on_unknown": e.onUnknown,
	}
	maps.Copy(email, more)
	return rig.NewMail(key, email)
}

// scheduled is the episode's mail, to be sent later.
func (e *episode) scheduled(in time.Duration) rig.Mail {
	return e.letter(e.mail.Key, map[string]any{"scheduled_at": time.Now().Add(in).UTC().Format(time.RFC3339)})
}

// play makes the fault, sees to it that everybody is there again, and waits until
// the mail has ended unless that takes a lease.
func (e *episode) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*stepLimit)
	defer cancel()
	defer e.forget()
	if err := e.settle(ctx); err != nil {
		return err
	}
	if err := e.point.once(ctx, e); err != nil {
		return errors.Join(err, e.trouble)
	}
	lasts := e.point.later || e.point.end != sentOnce
	if lasts && e.doubted.IsZero() {
		e.doubted = e.struck
	}
	if err := e.ready(ctx); err != nil {
		return err
	}
	if !lasts {
		if err := e.awaitEnd(ctx); err != nil {
			return err
		}
	}
	if e.after != nil {
		return errors.Join(e.trouble, e.after(ctx))
	}
	return e.trouble
}

func (e *episode) forget() {
	for _, t := range e.spied {
		t.Disarm()
	}
}

// post has the mail asked for until somebody accepts it; done gives the end of
// that. Callers do not all begin at the same producer.
func (e *episode) post(ctx context.Context) (done <-chan struct{}) {
	apis := e.stack.APIs()
	first := e.n % len(apis)
	load := rig.Load{
		APIs: slices.Concat(apis[first:], apis[:first]), Count: 1,
		Mail: func(int) rig.Mail { return e.mail },
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		load.Run(ctx, &e.calls)
	}()
	return ended
}

// spy counts a step without doing anything to it.
func (e *episode) spy(r tap.Rule, on []*tap.Proxy) *tap.Trigger {
	t := tap.Arm(r, on...)
	e.spied = append(e.spied, t)
	return t
}

// killAt posts the mail, kills the process at whose proxy the step passes, and
// starts it again. With the process its connection is gone.
func (e *episode) killAt(ctx context.Context, r tap.Rule, on []*tap.Proxy) error {
	return e.strikeAt(ctx, r, on, func(ev tap.Event) { e.kill(ctx, e.owner(ev.Proxy)) })
}

func (e *episode) strikeAt(ctx context.Context, r tap.Rule, on []*tap.Proxy, strike func(tap.Event)) error {
	struck := make(chan struct{})
	r.Times, r.End = 1, tap.Drop
	r.Do = func(ev tap.Event) { defer close(struck); strike(ev) }
	t := e.spy(r, on)
	posted := e.post(ctx)
	return errors.Join(e.awaitStrike(ctx, t, struck), e.restart(), ended(ctx, posted))
}

func (e *episode) awaitStrike(ctx context.Context, t *tap.Trigger, struck <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := t.Await(ctx, 1); err != nil {
		return fmt.Errorf("%w: %w", errNotFired, err)
	}
	return ended(ctx, struck)
}

func ended(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// killOn posts the mail and kills the consumer that has it when the relay host
// sees the step.
func (e *episode) killOn(ctx context.Context, at smtptest.Step) error {
	return e.strikeOn(ctx, at, func(holder *rig.Member) { e.kill(ctx, holder) })
}

func (e *episode) strikeOn(ctx context.Context, at smtptest.Step, strike func(holder *rig.Member)) error {
	e.watchClaims()
	c := e.on(at, e.mail.Key, func() {
		holder, err := e.holder(ctx)
		if err != nil {
			e.trouble = err
			return
		}
		strike(holder)
	})
	posted := e.post(ctx)
	limited, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	return errors.Join(c.await(limited), e.restart(), ended(ctx, posted))
}

// kill is called from a step, which passes only when the process is gone.
func (e *episode) kill(ctx context.Context, victim *rig.Member) {
	err := victim.Process().Kill()
	e.victim, e.struck = victim, time.Now()
	sends, noted := e.rob(ctx, e.point.name, victim, e.struck, time.Time{})
	e.sends += sends
	e.trouble = errors.Join(e.trouble, err, noted)
}

// strike notes a fault that leaves every process alone.
func (e *episode) strike(victim *rig.Member) {
	e.victim, e.struck = victim, time.Now()
	e.note(check.Fault{Begun: e.struck, Kind: e.point.name, Victim: victim.Name})
}

// restart starts the victim again if it is dead. How far it has come is seen on
// its wire: /readyz answers what it knew a second ago.
func (e *episode) restart() error {
	if e.victim == nil || !e.victim.Process().Exited() {
		return nil
	}
	t, err := e.tapsOf(e.victim)
	if err != nil {
		return err
	}
	ready := tap.Rule{From: tap.Server, At: "connection.open-ok"}
	if e.victim.Program == rig.Consumer {
		ready = tap.Rule{From: tap.Client, At: "basic.consume", Match: e.stack.QueueOf(message.LaneNormal)}
	}
	e.back = e.spy(ready, []*tap.Proxy{t.broker})
	return e.stack.Start(e.victim)
}

// watchClaims notes who claims what. The tables know it too, but a worker that was
// just started may work long before it has introduced itself there.
func (e *episode) watchClaims() {
	e.spy(tap.Rule{From: tap.Client, At: "Bind", Match: "SET status='sending', phase=1", Done: func(ev tap.Event) {
		e.claiming.Lock()
		defer e.claiming.Unlock()
		e.claims = append(e.claims, ev)
	}}, e.of(rig.Consumer, tables))
}

// holder is the consumer that was the last to claim the mail.
func (e *episode) holder(ctx context.Context) (*rig.Member, error) {
	id, err := e.id(ctx)
	if err != nil {
		return nil, err
	}
	e.claiming.Lock()
	defer e.claiming.Unlock()
	for _, claim := range slices.Backward(e.claims) {
		if strings.Contains(claim.Text, id) {
			return e.owner(claim.Proxy), nil
		}
	}
	return nil, fmt.Errorf("%w: nobody has claimed %s", errNotFired, e.address)
}

// ready waits for the victim that was started again.
func (e *episode) ready(ctx context.Context) error {
	if e.back == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := e.back.Await(ctx, 1); err != nil {
		return fmt.Errorf("%s did not come back: %w\n%s", e.victim.Name, err, e.victim.Process().Output())
	}
	if e.victim.API == "" {
		return nil
	}
	return rig.Await(ctx, 5*time.Millisecond, e.victim.Name+" to listen", func() (bool, error) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.victim.API, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil, nil
	})
}

// awaitEnd waits until the mail has ended in some way and no relay has it in hand
// any more, which could be taken for the one of the next episode.
func (e *episode) awaitEnd(ctx context.Context) error {
	return rig.Await(ctx, 10*time.Millisecond, e.address+" to end", func() (bool, error) {
		n, err := e.count(ctx, `
			SELECT count(*) FROM deliveries d WHERE address = $1 AND finished_at IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = d.message_id AND o.n = d.n)`)
		return n > 0, err
	})
}

// id is the message's, once it is accepted.
func (e *episode) id(ctx context.Context) (string, error) {
	var id string
	err := e.stack.DB().QueryRowContext(ctx, `SELECT CAST(message_id AS TEXT) FROM deliveries WHERE address = $1`, e.address).Scan(&id)
	return id, err
}

// count is a number that a query about the mail's address has for an answer.
func (e *episode) count(ctx context.Context, query string) (int, error) {
	var n int
	err := e.stack.DB().QueryRowContext(ctx, query, e.address).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}
