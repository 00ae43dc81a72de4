package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// relayPoints kill a producer on a mail's way from the tables to the broker.
func relayPoints() []*killPoint {
	return []*killPoint{
		{
			name: "relay-before-publish", row: 4, times: 100, cast: twoRelays, within: time.Second,
			fault: "the relay is killed after taking rows, before they reach the broker",
			seen:  "its transaction is rolled back and another publishes the rows, once",
			once: func(ctx context.Context, e *episode) error {
				return e.dieRelaying(ctx, tap.Rule{From: tap.Client, At: "basic.publish"}, broker, 1)
			},
		},
		{
			name: "relay-before-confirm", row: 5, times: 100, cast: twoRelays,
			fault: "the relay is killed after the broker took the copies, before it hears of that",
			seen:  "they are published again; of the two copies one is sent, the other acked",
			once: func(ctx context.Context, e *episode) error {
				return e.dieRelaying(ctx, tap.Rule{From: tap.Server, At: "basic.ack"}, broker, 2)
			},
		},
		{
			name: "relay-before-settling", row: 6, times: 100, cast: twoRelays,
			fault: "the relay is killed after the confirm, before its COMMIT reaches Postgres",
			seen:  "they are published again; of the two copies one is sent, the other acked",
			once: func(ctx context.Context, e *episode) error {
				return e.dieRelaying(ctx, tap.Rule{From: tap.Client, At: "Execute", Match: "commit", Within: "SET published_at="}, tables, 2)
			},
		},
		{
			name: "relay-after-settling", row: 6, times: 20, cast: twoRelays,
			fault: "the relay is killed after Postgres has committed that the copies are the broker's, before it hears of that",
			seen:  "they are published once",
			once: func(ctx context.Context, e *episode) error {
				return e.dieRelaying(ctx, committed("SET published_at="), tables, 1)
			},
		},
		{
			name: "relay-stopped", row: 15, times: 2, cast: longPauses, onlyOnce: true,
			fault: "the relay is stopped for 15 s in its transaction, after the broker took the copies, and goes on",
			seen:  "Postgres ends its transaction after 10 s, another publishes the rows, its late COMMIT fails",
			once:  relayStopped,
		},
		{
			name: "two-relays", row: 14, times: 20, cast: twoRelays,
			fault: "two relays and two sweeps work on the same rows at once",
			seen:  "every row is published once",
			once:  everyRowOnce,
		},
	}
}

// dieRelaying wants so many copies of the mail to have come to the consumer in the
// end, each answered. A second one may come long after the mail was sent.
func (e *episode) dieRelaying(ctx context.Context, r tap.Rule, pick func(*taps) *tap.Proxy, copies int) error {
	consumer := e.of(rig.Consumer, broker)
	var came, answered tape
	e.spy(tap.Rule{From: tap.Server, At: "basic.deliver", Done: came.note}, consumer)
	e.spy(tap.Rule{From: tap.Client, At: "basic.ack", Done: answered.note}, consumer)
	e.after = func(ctx context.Context) error {
		id, err := e.id(ctx)
		if err != nil {
			return err
		}
		err = rig.Await(ctx, 5*time.Millisecond, fmt.Sprintf("%d copies of %s to be acked", copies, e.address), func() (bool, error) {
			return answered.count(id) >= copies, nil
		})
		if n := came.count(id); err == nil && n != copies {
			err = fmt.Errorf("%w: %d copies, not %d", errUnmet, n, copies)
		}
		return err
	}
	return e.killAt(ctx, r, e.of(rig.Producer, pick))
}

// tape keeps what steps said. It is safe for concurrent use.
type tape struct {
	mu    sync.Mutex
	texts []string
}

func (t *tape) note(ev tap.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts = append(t.texts, ev.Text)
}

// count is how many of the steps were about something.
func (t *tape) count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, text := range t.texts {
		if strings.Contains(text, what) {
			n++
		}
	}
	return n
}

// relayStopped stops the process, not its connections, which is what a host that
// swaps or a debugger does.
func relayStopped(ctx context.Context, e *episode) error {
	const stopped = 15 * time.Second
	settled := e.spy(tap.Rule{From: tap.Server, At: "ErrorResponse"}, e.of(rig.Producer, tables))
	stop := tap.Rule{From: tap.Server, At: "basic.ack", Times: 1}
	held := make(chan struct{})
	stop.Do = func(ev tap.Event) {
		defer close(held)
		e.strike(e.owner(ev.Proxy))
		e.trouble = halt(ctx, e.victim.Process())
	}
	t := e.spy(stop, e.of(rig.Producer, broker))
	again := e.spy(tap.Rule{From: tap.Client, At: "basic.publish"}, e.of(rig.Producer, broker))
	posted := e.post(ctx)
	if err := e.awaitStrike(ctx, t, held); err != nil {
		return err
	}
	err := errors.Join(again.Await(ctx, 2), sleep(ctx, time.Until(e.struck.Add(stopped))), e.victim.Process().Resume())
	if err != nil {
		return errors.Join(err, e.victim.Process().Resume())
	}
	e.after = func(ctx context.Context) error { return errors.Join(settled.Await(ctx, 1), e.comfort(ctx)) }
	return ended(ctx, posted)
}

// comfort gives a relay work to succeed in, without which it would say for half a
// minute that it has failed.
func (e *episode) comfort(ctx context.Context) error {
	return rig.Await(ctx, 200*time.Millisecond, e.victim.Name+" to be well", func() (bool, error) {
		e.extra++
		load := rig.Load{APIs: e.stack.APIs(), Count: 1, Mail: func(int) rig.Mail {
			return e.letter(fmt.Sprintf("%s-extra-%d", e.mail.Key, e.extra), nil)
		}}
		load.Run(ctx, &e.calls)
		return e.victim.State(ctx) == "ok", nil
	})
}
