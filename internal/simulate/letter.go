package simulate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// letter is what a caller posts: one message, however often it has to ask.
type letter struct {
	name         string
	draft        message.Draft
	key          string
	hold         bool
	scheduled    time.Time
	expires      time.Time
	acknowledged bool
	answer       uuid.UUID
	ids          []uuid.UUID // that were committed for it
}

// write draws the letters of the simulation and starts their callers.
func (w *world) write() {
	for n := range w.profile.letters {
		l := w.draw(n)
		w.letters = append(w.letters, l)
		w.call(func() { w.post(l) })
	}
}

// call starts a caller.
func (w *world) call(do func()) {
	w.callers++
	w.zombies.Go(func() {
		do()
		w.mu.Lock()
		w.callers--
		w.mu.Unlock()
	})
}

func (w *world) draw(n int) *letter {
	l := &letter{name: fmt.Sprintf("m%d", n+1)}
	l.draft = message.Draft{From: "app@example.com", Subject: l.name, Text: "hi", To: []string{l.name + "a@example.com"}}
	if w.dice.IntN(3) == 0 {
		l.draft.To = append(l.draft.To, l.name+"b@example.com")
	}
	if w.dice.IntN(5) == 0 {
		l.draft.Lane = string(message.LaneHigh)
	}
	if w.dice.IntN(3) == 0 {
		l.hold, l.draft.OnUnknown = true, string(message.Hold)
	}
	if w.dice.IntN(4) > 0 || w.focus.ofCallers() {
		l.key = "key of " + l.name
	}
	now := time.Now().Truncate(time.Second)
	if w.dice.IntN(6) == 0 {
		l.scheduled = now.Add(time.Duration(3+w.dice.IntN(20)) * time.Second)
		l.draft.ScheduledAt = l.scheduled.Format(time.RFC3339)
	}
	if w.dice.IntN(6) == 0 || w.focus == Expiry {
		l.expires = now.Add(time.Duration(25+w.dice.IntN(30)) * time.Second)
		l.draft.ExpiresAt = l.expires.Format(time.RFC3339)
	}
	return l
}

// late: a time that the letter names is past.
func (l *letter) late() bool {
	now := time.Now()
	return !l.expires.IsZero() && !l.expires.After(now) || !l.scheduled.IsZero() && !l.scheduled.After(now)
}

func (l *letter) hash() [32]byte { return sha256.Sum256([]byte(l.name)) }

func (w *world) letterOf(subject string) *letter {
	for _, l := range w.letters {
		if l.name == subject {
			return l
		}
	}
	return nil
}

// patience is how long a caller waits for an answer.
const patience = 25 * time.Second

// post asks until there is an answer. Without a key it asks once: a second
// request would be a second message.
func (w *world) post(l *letter) {
	for {
		a, err := w.ask(l, l.hash())
		var refused *message.Error
		switch {
		case err == nil:
			w.answered(l, a)
			return
		case errors.As(err, &refused) && l.late(): // it was too late when it came
			return
		case errors.As(err, &refused):
			w.violate("%s was refused: %v", l.name, err)
			return
		case l.key == "" || w.others.dead.Load():
			return
		}
		time.Sleep(time.Second)
	}
}

// ask posts once, to whichever producer there is.
func (w *world) ask(l *letter, hash [32]byte) (message.Acceptance, error) {
	given := w.park(context.Background(), &call{proc: w.others, kind: kPost, content: l.name, ready: func() bool { return w.producer(0) != nil }})
	if given.end != proceed {
		return message.Acceptance{}, given.err()
	}
	p := w.producer(given.roll)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	draft := l.draft
	a, err := p.accept.Accept(ctx, message.Unrestricted(message.DefaultTenant), &draft, l.key, hash)
	if err != nil {
		return a, err
	}
	if given = w.park(ctx, &call{proc: p, kind: kAnswer, content: l.name}); given.end != proceed {
		return a, given.err()
	}
	return a, nil
}

// answered checks the answer against the first.
func (w *world) answered(l *letter, a message.Acceptance) {
	w.trace.result(l.name + " is answered 202")
	if l.acknowledged && a.ID != l.answer {
		w.violate("one key, two answers: %s", l.key)
	}
	l.acknowledged, l.answer = true, a.ID
	if w.truth.byID[a.ID] != l {
		w.violate("%s was answered 202 with an id that was not committed", l.name)
	}
}

// producer returns one that takes requests, by a number.
func (w *world) producer(roll uint64) *process {
	var alive []*process
	for _, p := range w.places {
		if p.proc != nil && p.produces && !p.proc.leaving {
			alive = append(alive, p.proc)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[roll%uint64(len(alive))]
}

// repeat posts again what was answered, with its own or another body.
func (w *world) repeat(l *letter, other bool) {
	hash := l.hash()
	if other {
		hash[0] ^= 1
	}
	a, err := w.ask(l, hash)
	var refused *message.Error
	switch {
	case errors.Is(err, message.ErrUnavailable):
	case other && (!errors.As(err, &refused) || refused.Code != message.CodeIdempotencyConflict && refused.Code != message.CodeValidation):
		w.violate("another body under the key of %s was answered %v, %v", l.name, a.ID, err)
	case !other && err != nil:
		w.violate("a repetition of %s was refused: %v", l.name, err)
	case !other:
		w.answered(l, a)
	}
}

// steer lets the caller of a message change its mind.
func (w *world) steer(l *letter, f Fault, until time.Duration) {
	given := w.park(context.Background(), &call{proc: w.others, kind: kPost, content: f.String() + " " + l.name, ready: func() bool { return w.producer(0) != nil }})
	if given.end != proceed {
		return
	}
	p := w.producer(given.roll)
	conn := &connection{w: w, p: p, inner: p.store}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var n int
	var err error
	switch f {
	case UserCancel:
		n, err = conn.Cancel(ctx, message.DefaultTenant, l.ids[0])
	case UserRetry:
		n, err = conn.Retry(ctx, message.DefaultTenant, l.ids[0])
	default:
		n, err = conn.Reschedule(ctx, message.DefaultTenant, l.ids[0], w.clock().Add(until))
	}
	if n > 0 && err == nil && !p.dead.Load() {
		p.relay.Wake(message.LaneNormal)
		p.relay.Wake(message.LaneHigh)
	}
}
