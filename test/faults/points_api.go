package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// apiPoints kill a producer on a mail's way from its caller into the tables.
func apiPoints() []*killPoint {
	return []*killPoint{
		{
			name: "api-before-commit", row: 1, times: 100, cast: oneProducer,
			fault: "the producer is killed before its COMMIT of an acceptance reaches Postgres",
			seen:  "nothing is stored, the caller has no answer, asking again with the key makes one message",
			once: func(ctx context.Context, e *episode) error {
				commit := tap.Rule{From: tap.Client, At: "Execute", Match: "commit", Within: e.address}
				return e.dieAccepting(ctx, commit, 0)
			},
		},
		{
			name: "api-after-commit", row: 2, times: 100, cast: oneProducer,
			fault: "the producer is killed after Postgres has committed an acceptance, before the 202",
			seen:  "the message is stored, the caller has no answer, asking again with the key gives the same id",
			once: func(ctx context.Context, e *episode) error {
				return e.dieAccepting(ctx, committed(e.address), 1)
			},
		},
		{
			name: "api-reading-a-body", row: 3, times: 100, cast: oneProducer,
			fault: "the producer is killed while it reads a request",
			seen:  "nothing is stored, asking again with the key makes one message",
			once:  func(ctx context.Context, e *episode) error { return e.dieReading(ctx) },
		},
	}
}

// dieAccepting looks at what is stored while nobody can ask again.
func (e *episode) dieAccepting(ctx context.Context, r tap.Rule, want int) error {
	struck := make(chan struct{})
	r.Times, r.End = 1, tap.Drop
	r.Do = func(ev tap.Event) { defer close(struck); e.kill(ctx, e.owner(ev.Proxy)) }
	t := e.spy(r, e.of(rig.Producer, tables))
	posted := e.post(ctx)
	if err := e.awaitStrike(ctx, t, struck); err != nil {
		return err
	}
	if answered := e.calls.Accepted(); answered != e.answered {
		return fmt.Errorf("%w: %d calls were answered, not %d", errUnmet, answered, e.answered)
	}
	return errors.Join(e.stored(ctx, want), e.restart(), ended(ctx, posted))
}

// stored wants so many messages of the episode in the tables.
func (e *episode) stored(ctx context.Context, want int) error {
	n, err := e.count(ctx, `SELECT count(*) FROM deliveries WHERE address = $1`)
	if err == nil && n != want {
		err = fmt.Errorf("%w: %d messages are stored, not %d", errUnmet, n, want)
	}
	return err
}

// dieReading begins a request, waits until the producer asks for its body, and
// gives it half of that.
func (e *episode) dieReading(ctx context.Context) error {
	producer := e.stack.Of(rig.Producer)[0]
	conn, err := net.Dial("tcp", strings.TrimPrefix(producer.API, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(stepLimit))
	_, err = fmt.Fprintf(conn, "POST /v1/emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", rig.APIKey, e.mail.Key, len(e.mail.Body))
	if err != nil {
		return err
	}
	if err := awaitContinue(conn); err != nil {
		return err
	}
	if _, err := conn.Write(e.mail.Body[:len(e.mail.Body)/2]); err != nil {
		return err
	}
	e.kill(ctx, producer)
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, net.ErrClosed) {
		e.say("the caller sees %v", err)
	}
	if err := errors.Join(e.stored(ctx, 0), e.restart()); err != nil {
		return err
	}
	return ended(ctx, e.post(ctx))
}

// awaitContinue: Go's server asks for the body when its handler begins to read.
func awaitContinue(conn net.Conn) error {
	const asked = "HTTP/1.1 100 Continue\r\n\r\n"
	answer := make([]byte, len(asked))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("%w: %w", errNotFired, err)
	}
	if string(answer) != asked {
		return fmt.Errorf("%w: the answer was %q, %s", errNotFired, answer, http.StatusText(http.StatusContinue))
	}
	return nil
}
