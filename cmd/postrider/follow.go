package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
)

// follower shows each change of a message until every recipient has an end.
type follower struct {
	api     *client.Client
	id      string
	timeout time.Duration
	json    bool // print nothing but the message at the end
	seen    map[int]string
}

// follow returns nil when every recipient was sent to.
func (f *follower) follow(ctx context.Context, t *terminal) error {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, f.over())
	defer cancel()
	f.seen = map[int]string{}
	for pause := firstLook; ; pause = min(pause*5/4, lastLook) {
		email, err := f.api.Email(ctx, f.id)
		switch {
		case err == nil && f.show(t, &email):
			return f.finish(t, &email)
		case err != nil && ctx.Err() == nil && exitCode(err) != exitUnreachable:
			// Who takes this for a refusal of the email sends it again.
			return fmt.Errorf("the email was accepted as %s, and its state is not known here: %w", f.id, advise(err))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause): // also while the server restarts
		}
	}
}

func (f *follower) over() error {
	return fmt.Errorf("%w after %v: look again with postrider show %s; whether something holds it up, postrider healthcheck tells", errStillOpen, f.timeout, f.id)
}

// show prints what has changed and reports whether every recipient has an end.
func (f *follower) show(t *terminal, email *wire.Email) bool {
	ended := true
	for i := range email.Recipients {
		r := &email.Recipients[i]
		line := f.line(email, r)
		if f.seen[i] != line && !f.json {
			fmt.Fprintf(t.out, "%s  %s\n", time.Now().Format("15:04:05.000"), line)
		}
		f.seen[i] = line
		ended = ended && final(r.Status)
	}
	return ended
}

// line is the state of a recipient with what the relay host last said.
func (f *follower) line(email *wire.Email, r *wire.Recipient) string {
	parts := []string{cell(r.Address), string(r.Status)}
	if r.Reason != "" {
		parts[1] += " (" + string(r.Reason) + ")"
	}
	if a := lastAttempt(email, r.Address); a != nil && r.Status != message.StatusSending {
		parts = append(parts, reply(a))
	}
	switch r.Status {
	case message.StatusScheduled:
		parts = append(parts, "for "+moment(r.NextAttemptAt))
	case message.StatusDelayed:
		parts = append(parts, "next try at "+moment(r.NextAttemptAt))
	default:
	}
	return strings.Join(parts, "  ")
}

func lastAttempt(email *wire.Email, address string) *wire.Attempt {
	for i := len(email.Attempts) - 1; i >= 0; i-- {
		if email.Attempts[i].Recipient == address {
			return &email.Attempts[i]
		}
	}
	return nil
}

// reply is what the relay host said, or what went wrong before it could.
func reply(a *wire.Attempt) string {
	code := ""
	if a.Code != 0 {
		code = fmt.Sprint(a.Code)
	}
	words := strings.Fields(cell(strings.Join([]string{a.RelayHost, code, a.EnhancedCode, a.Detail}, " ")))
	return strings.Join(words, " ")
}

func final(s message.Status) bool {
	switch s {
	case message.StatusSent, message.StatusFailed, message.StatusUnknown, message.StatusCanceled, message.StatusSuppressed:
		return true
	default:
		return false
	}
}

var errNotSent = errors.New("not sent to every recipient")

func (f *follower) finish(t *terminal, email *wire.Email) error {
	if f.json {
		if err := printJSON(t.out, email); err != nil {
			return err
		}
	}
	sent, all := email.Counts[message.StatusSent], len(email.Recipients)
	if sent < all {
		return fmt.Errorf("%w: %d of %d; see postrider show %s", errNotSent, sent, all, f.id)
	}
	return nil
}
