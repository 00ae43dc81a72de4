package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/rig"
)

// waitingMails is how many wait at the broker when it loses them: as many as the
// relay lets wait there.
const waitingMails = 1000

func queueFigures() []experiment {
	const requires = " with 1,000 mails waiting: all sent within 120 s, lost 0, duplicated 0"
	return []experiment{
		{name: "queue-purged", requires: "queue purged" + requires, takes: 2 * time.Minute, run: copiesLost("queue purged", (*stage).purge)},
		{name: "queue-deleted", requires: "queue deleted" + requires, takes: 2 * time.Minute, run: copiesLost("queue deleted", (*stage).deleteQueue)},
		{name: "broker-wiped", requires: "all data of the broker gone" + requires, takes: 2 * time.Minute, run: copiesLost("broker wiped", by("rabbitmq-wipe"))},
		{
			name:     "queue-full",
			requires: "queue refuses to hold more than 10 of 300 mails for 30 s: all accepted, nothing lost or sent twice, all sent within 60 s after",
			takes:    2 * time.Minute,
			run:      queueFull(),
		},
	}
}

func (s *stage) purge(ctx context.Context) error {
	return s.stack.PurgeQueue(ctx, s.stack.QueueOf(message.LaneNormal))
}

func (s *stage) deleteQueue(ctx context.Context) error {
	return s.stack.DeleteQueue(ctx, s.stack.QueueOf(message.LaneNormal))
}

func copiesLost(kind string, loss deed) playFunc {
	p := plan{consumers: -1, faults: []string{kind}}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(by("rabbitmq-start"))
		s.post(ctx, waitingMails)
		if err := s.awaitPublished(ctx, waitingMails); err != nil {
			return m, err
		}
		if err := s.harm(ctx, kind, loss); err != nil {
			return m, err
		}
		if err := s.addConsumers(ctx, 2); err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 2*time.Minute, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		v.require(m.report.Delivered == waitingMails, "%d were delivered", m.report.Delivered)
		m.summary = fmt.Sprintf("%s, all sent after %s", counts(m.report), seconds(m.report.Settled))
		return m, nil
	})
}

// awaitPublished waits until the broker has copies of so many mails.
func (s *stage) awaitPublished(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return rig.Await(ctx, restEvery, fmt.Sprintf("%d mails at the broker", n), func() (bool, error) {
		var published int
		err := s.stack.DB().QueryRowContext(ctx, `SELECT count(*) FROM deliveries WHERE published_at IS NOT NULL`).Scan(&published)
		return published >= n, err
	})
}

func (s *stage) addConsumers(ctx context.Context, n int) error {
	for range n {
		if _, err := s.stack.Add(ctx, rig.Consumer); err != nil {
			return err
		}
	}
	return nil
}

// queueFull has the queue refuse what the relay publishes. The queue is declared so
// that it refuses; how much it holds is the operator's policy.
func queueFull() playFunc {
	const kind, mails, room = "queue full", 300, 10
	p := plan{consumers: -1, faults: []string{kind}}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards((*stage).unlimit)
		waiting := 0
		err = s.harm(ctx, kind, func(s *stage, ctx context.Context) error {
			if err := s.limit(ctx, room); err != nil {
				return err
			}
			s.post(ctx, mails)
			if err := sleep(ctx, s.lasting(30*time.Second)); err != nil {
				return err
			}
			waiting, err = s.outboxRows(ctx)
			return errors.Join(err, s.unlimit(ctx))
		})
		if err != nil {
			return m, err
		}
		if err := s.addConsumers(ctx, 2); err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, time.Minute, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		v.require(waiting > mails/2, "only %d waited: the queue was not full", waiting)
		m.summary = fmt.Sprintf("%d waited in the outbox, %s, all sent after %s", waiting, counts(m.report), seconds(m.report.Settled))
		return m, nil
	})
}

const fullPolicy = "faults-queue-full"

func (s *stage) limit(ctx context.Context, room int) error {
	definition := fmt.Sprintf(`{"max-length":%d,"overflow":"reject-publish"}`, room)
	_, err := s.services.RabbitMQCtl(ctx, "set_policy", "--apply-to", "queues", fullPolicy, "^"+s.stack.QueueOf(message.LaneNormal)+"$", definition)
	return err
}

// unlimit may be done twice.
func (s *stage) unlimit(ctx context.Context) error {
	list, err := s.services.RabbitMQCtl(ctx, "list_policies", "--quiet", "--no-table-headers")
	if err != nil || !slices.Contains(strings.Fields(list), fullPolicy) {
		return err
	}
	_, err = s.services.RabbitMQCtl(ctx, "clear_policy", fullPolicy)
	return err
}

// outboxRows counts what is due and not with the broker.
func (s *stage) outboxRows(ctx context.Context) (n int, err error) {
	err = s.stack.DB().QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE due_at <= $1`, time.Now().UnixMilli()).Scan(&n)
	return n, err
}
