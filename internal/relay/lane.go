package relay

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// soon is the part of a poll after which a full queue is looked at again, and the
// outbox at the earliest. A thousand copies must not be sent meanwhile.
const soon = 20

// lane is the loop of one lane. Only run uses its fields, but for woken.
type lane struct {
	*Relay
	name   message.Lane
	woken  chan struct{} // holds the wake-up that no look has answered yet
	window *window
}

// round is what one transaction came to.
type round struct {
	began                   time.Time
	taken, confirmed, limit int
	shut                    bool // the broker's window is full, nothing was taken
	err                     error
	refused                 error // why the first copy that was not confirmed was not
}

func (o round) full() bool    { return o.taken > 0 && o.taken == o.limit }
func (o round) trouble() bool { return o.err != nil || o.confirmed < o.taken }

// crowded: the queue has less room than Ready lets hope for. That is its window
// being full, not a fault.
func (o round) crowded() bool { return o.err == nil && errors.Is(o.refused, message.ErrQueueFull) }

// run relays the lane: at once while there is more, and whenever it is woken.
func (l *lane) run(ctx context.Context) {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second, Random: l.cfg.Random}
	for ctx.Err() == nil {
		o := l.once(ctx)
		switch {
		case o.shut || o.crowded():
			_ = l.cfg.Random.Jittered(ctx, l.cfg.Poll/soon) // ends early with ctx, which ends the loop
		case o.trouble():
			l.complain(o)
			_ = backoff.Wait(ctx)
		case o.full():
			backoff.Reset()
		default:
			backoff.Reset()
			l.linger(ctx, o)
			l.idle(ctx)
		}
	}
}

// once relays one batch, if the broker has room for it.
func (l *lane) once(ctx context.Context) round {
	l.answer()
	if shut, err := l.look(ctx); shut || err != nil {
		return round{shut: shut, err: err}
	}
	o := round{began: time.Now(), limit: l.window.room()}
	o.taken, o.confirmed, o.err = l.cfg.Store.Dispatch(ctx, l.name, o.limit, func(ctx context.Context, refs []message.Ref) []error {
		l.window.give(len(refs))
		errs := l.cfg.Queue.Publish(ctx, l.name, refs)
		o.refused = cmp.Or(errs...)
		return errs
	})
	return o
}

func (l *lane) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// answer takes the wake-ups so far: what they were about is seen by the look
// that begins now.
func (l *lane) answer() {
	select {
	case <-l.woken:
	default:
	}
}

// look asks the broker for room when there may be none left.
func (l *lane) look(ctx context.Context) (shut bool, err error) {
	if l.window.room() > 0 {
		return false, nil
	}
	ready, err := l.cfg.Queue.Ready(ctx, l.name)
	if err != nil {
		l.window.forget()
		return false, err
	}
	return l.window.saw(ready), nil
}

// linger lets mail that comes right after other mail go together with what comes
// after it, so that a stream of single mails does not make a transaction of each.
// The first after a pause never waits, and a backlog fills its batches by itself.
func (l *lane) linger(ctx context.Context, o round) {
	if left := time.Until(o.began.Add(l.cfg.Linger)); o.taken > 0 && left > 0 {
		_ = pause.For(ctx, left) // ends early with ctx, which ends the loop
	}
}

func (l *lane) idle(ctx context.Context) {
	select {
	case <-l.woken:
	case <-ctx.Done():
	}
}

func (l *lane) complain(o round) {
	if errors.Is(o.err, context.Canceled) {
		return
	}
	l.cfg.Logger.Warn("not all was published; the rows stay and are tried again",
		"lane", l.name, "taken", o.taken, "confirmed", o.confirmed, "error", cmp.Or(o.err, o.refused),
		"remedy", "/readyz names the part at fault and what to do; nothing needs a restart")
}
