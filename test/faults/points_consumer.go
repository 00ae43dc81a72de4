package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// taken is how soon another consumer has the mail of one that died before the
// final dot: the broker hands the copy on at once.
const taken = time.Second

// consumerPoints kill a consumer on a mail's way from the broker to the relay host.
func consumerPoints() []*killPoint {
	return []*killPoint{
		{
			name: "consumer-before-claim", row: 7, times: 100, cast: twoConsumers, within: taken,
			fault: "the consumer is killed before it claims a mail",
			seen:  "its copy goes to another at once",
			once: func(ctx context.Context, e *episode) error {
				return e.killAt(ctx, tap.Rule{From: tap.Server, At: "basic.deliver"}, e.of(rig.Consumer, broker))
			},
		},
		{
			name: "consumer-after-claim", row: 8, times: 100, cast: twoConsumers, within: taken,
			fault: "the consumer is killed after Postgres has committed its claim, before it speaks to the relay host",
			seen:  "its copy goes to another, who takes the claim over at once",
			once: func(ctx context.Context, e *episode) error {
				return e.killAt(ctx, committed("SET status='sending', phase=1"), e.of(rig.Consumer, tables))
			},
		},
		dieAt(smtptest.Mail), dieAt(smtptest.Rcpt), dieAt(smtptest.Data),
		{
			name: "consumer-mid-body", row: 9, times: 100, cast: twoConsumers, within: taken,
			fault: "the consumer is killed in the midst of the content",
			seen:  "the relay host has nothing of it, the mail is sent by another",
			once:  dieInTheBody,
		},
		{
			name: "consumer-after-mark", row: 10, times: 100, cast: doubts, end: marked,
			fault: "the consumer is killed after Postgres has its mark, before it writes the final dot",
			seen:  "nobody can know that nothing was sent: one unknown outcome is on record",
			once: func(ctx context.Context, e *episode) error {
				return e.killAt(ctx, committed("SET phase=2"), e.of(rig.Consumer, tables))
			},
		},
		{
			name: "consumer-after-dot", row: 10, times: 100, cast: doubts, end: inWindow,
			fault: "the consumer is killed after the final dot, before the 250",
			seen:  "one unknown outcome is on record",
			once:  func(ctx context.Context, e *episode) error { return e.killOn(ctx, smtptest.Dot) },
		},
		{
			name: "consumer-after-250", row: 11, times: 100, cast: doubts, end: inWindow,
			fault: "the consumer is killed after the 250, before its COMMIT of the outcome reaches Postgres",
			seen:  "one unknown outcome is on record",
			once:  dieRecording,
		},
		{
			name: "consumer-before-ack", row: 12, times: 100, cast: twoConsumers,
			fault: "the consumer is killed after the outcome is committed, before its ack reaches the broker",
			seen:  "the copy comes again, is acked and not sent",
			once:  dieAcking,
		},
	}
}

// dieAt is a kill at a command before the content.
func dieAt(at smtptest.Step) *killPoint {
	return &killPoint{
		name: "consumer-at-" + strings.ToLower(string(at)), row: 9, times: 100, cast: twoConsumers, within: taken,
		fault: "the consumer is killed at " + string(at),
		seen:  "the relay host has nothing of it, the mail is sent by another",
		once:  func(ctx context.Context, e *episode) error { return e.killOn(ctx, at) },
	}
}

// dieInTheBody holds the mark back: a small mail is on the wire as a whole before
// anybody can die in its midst.
func dieInTheBody(ctx context.Context, e *episode) error {
	never := make(chan struct{})
	e.spy(tap.Rule{From: tap.Client, At: "Bind", Match: "SET phase=2", Times: 1, Wait: never, End: tap.Drop}, e.of(rig.Consumer, tables))
	return e.strikeOn(ctx, smtptest.Body, func(holder *rig.Member) {
		defer close(never)
		e.kill(ctx, holder)
	})
}

// dieRecording waits for the final dot to look for the commit that follows it: the
// Sync behind the statements, without which the server forgets them.
func dieRecording(ctx context.Context, e *episode) error {
	struck := make(chan struct{})
	commit := tap.Rule{
		From: tap.Client, At: "Sync", Within: "INSERT INTO attempts", Times: 1, End: tap.Drop,
		Do: func(ev tap.Event) { defer close(struck); e.kill(ctx, e.owner(ev.Proxy)) },
	}
	var t *tap.Trigger
	e.watchClaims()
	c := e.on(smtptest.Dot, e.mail.Key, func() {
		holder, err := e.holder(ctx)
		if err != nil {
			e.trouble = err
			return
		}
		w, err := e.tapsOf(holder)
		e.trouble = err
		t = e.spy(commit, []*tap.Proxy{w.tables})
	})
	posted := e.post(ctx)
	limited, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := c.await(limited); err != nil || t == nil {
		return errors.Join(errNotFired, err)
	}
	return errors.Join(e.awaitStrike(ctx, t, struck), e.restart(), ended(ctx, posted))
}

// dieAcking wants the copy to come again and to be answered, with one ack more.
func dieAcking(ctx context.Context, e *episode) error {
	consumers := e.of(rig.Consumer, broker)
	again := e.spy(tap.Rule{From: tap.Client, At: "basic.ack", Match: " redelivered "}, consumers)
	e.after = func(ctx context.Context) error { return again.Await(ctx, 1) }
	return e.killAt(ctx, tap.Rule{From: tap.Client, At: "basic.ack", Match: "[["}, consumers)
}
