package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check"
)

func poisonFigures() []experiment {
	return []experiment{{
		name:     "poison",
		requires: "1,000 bad messages on the queue among 1,000 good: the good ones sent once each, every bad one on record with its reason, all processes well",
		takes:    2 * time.Minute,
		run:      poisoned(),
	}}
}

const poisonMessages = 1000

// poison are bodies that cannot be turned into work.
func poison() []string {
	return []string{
		"", "{", "null", "[]", `{"items":[]}`, `{"items":"x"}`, `{"items":[["not-an-id",0,1]]}`,
		`{"items":[["018f3c2e-7d1a-7c3b-9a51-1f2e3d4c5b6a",0,1]]}`, // no such message
		`{"version":99}`, "\x00\xff\xfe", strings.Repeat("x", 200_000),
	}
}

func poisoned() playFunc {
	const kind = "bad message"
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		begun := time.Now()
		var good sync.WaitGroup
		good.Go(func() { s.post(ctx, poisonMessages) })
		err = s.publishPoison(ctx)
		good.Wait()
		s.note(check.Fault{Begun: begun, Ended: time.Now(), Kind: kind, Victim: "queue"})
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		var onRecord int
		err = s.stack.DB().QueryRowContext(ctx, `SELECT count(*) FROM dead_letters WHERE reason <> ''`).Scan(&onRecord)
		v.require(m.report.Delivered == poisonMessages, "%d good ones were delivered", m.report.Delivered)
		v.require(onRecord == poisonMessages, "%d bad ones are on record", onRecord)
		m.summary = fmt.Sprintf("%d bad ones on record, %s, all sent %s after the last", onRecord, counts(m.report), seconds(m.report.Settled))
		return m, err
	})
}

// publishPoison puts the bad messages onto the queue as a stranger would.
func (s *stage) publishPoison(ctx context.Context) (err error) {
	conn, err := amqp.Dial(s.services.Broker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	bodies := poison()
	var last *amqp.DeferredConfirmation
	for n := range poisonMessages {
		last, err = ch.PublishWithDeferredConfirmWithContext(ctx, "", s.stack.QueueOf(message.LaneNormal), true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(bodies[n%len(bodies)])})
		if err != nil {
			return err
		}
	}
	_, err = last.WaitContext(ctx)
	return err
}
