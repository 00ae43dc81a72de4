package main

import (
	"context"

	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// replyPoints rob a process that lives of an answer. It keeps what it knows, so
// none of them makes a second copy.
func replyPoints() []*killPoint {
	lost := func(name string, row int, c cast, fault, seen, program string, pick func(*taps) *tap.Proxy, r tap.Rule) *killPoint {
		return &killPoint{
			name: name, row: row, times: 20, cast: c, fault: fault, seen: seen,
			once: func(ctx context.Context, e *episode) error {
				return e.strikeWith(ctx, r, e.of(program, pick))
			},
		}
	}
	unheard := func(within string) tap.Rule {
		r := committed(within)
		r.End = tap.Drop
		return r
	}
	points := []*killPoint{
		lost("reply-of-acceptance", 2, oneProducer, "the connection breaks when Postgres answers the COMMIT of an acceptance",
			"asking again with the key gives the same id", rig.Producer, tables, unheard("INSERT INTO messages")),
		lost("reply-of-settling", 6, oneProducer, "the connection breaks when Postgres answers the COMMIT of the relay",
			"the row is not published again", rig.Producer, tables, unheard("SET published_at=")),
		lost("confirm", 5, oneProducer, "a confirm of the broker is lost",
			"the row is published again, one of the copies is sent", rig.Producer, broker,
			tap.Rule{From: tap.Server, At: "basic.ack", End: tap.Swallow}),
		lost("delivery", 30, twoConsumers, "the connection breaks when the broker delivers a copy",
			"it goes to another or comes again", rig.Consumer, broker, tap.Rule{From: tap.Server, At: "basic.deliver", End: tap.Drop}),
		lost("reply-of-claim", 32, doubts, "the connection breaks when Postgres answers the COMMIT of a claim",
			"nobody knows of the claim, the sweep takes it back", rig.Consumer, tables, unheard("SET status='sending', phase=1")),
		lost("reply-of-mark", 32, twoConsumers, "the connection breaks when Postgres answers the mark",
			"it is asked again", rig.Consumer, tables, unheard("SET phase=2")),
		lost("reply-of-record", 33, twoConsumers, "the connection breaks when Postgres answers the COMMIT of an outcome",
			"it is recorded once", rig.Consumer, tables, unheard("INSERT INTO attempts")),
		lost("ack", 30, twoConsumers, "the connection breaks before an ack reaches the broker",
			"the copy comes again, is acked and not sent", rig.Consumer, broker,
			tap.Rule{From: tap.Client, At: "basic.ack", Match: "[[", End: tap.Drop}),
	}
	for _, p := range points {
		p.later = p.name == "reply-of-claim"
	}
	return points
}

// committed is where Postgres says that a transaction is over which had such a
// statement: short ones have no COMMIT of their own.
func committed(within string) tap.Rule {
	return tap.Rule{From: tap.Server, At: "ReadyForQuery", Match: "I", Within: within}
}

// strikeWith does to a step what the rule says, and nothing to any process.
func (e *episode) strikeWith(ctx context.Context, r tap.Rule, on []*tap.Proxy) error {
	struck := make(chan struct{})
	r.Times = 1
	r.Do = func(ev tap.Event) { defer close(struck); e.strike(e.owner(ev.Proxy)) }
	t := e.spy(r, on)
	posted := e.post(ctx)
	if err := e.awaitStrike(ctx, t, struck); err != nil {
		return err
	}
	return ended(ctx, posted)
}
