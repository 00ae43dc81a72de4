package rabbitmq_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

func dispatched(n int, dispatch int32) []message.Ref {
	list := make([]message.Ref, n)
	for i := range list {
		list[i] = message.Ref{Key: message.Key{MessageID: uuid.New()}, Dispatch: dispatch}
	}
	return list
}

// ready publishes and returns how many copies the broker holds then.
func ready(t *testing.T, q *rabbitmq.Queue, lane message.Lane, list []message.Ref) int {
	t.Helper()
	for i, err := range q.Publish(t.Context(), lane, list) {
		if err != nil {
			t.Fatalf("ref %d of %d: %v", i, len(list), err)
		}
	}
	n, err := q.Ready(t.Context(), lane)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParcelsGrowWithWhatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		lane   message.Lane
		list   []message.Ref
		copies int
	}{
		"many wait":     {message.LaneNormal, dispatched(128, 1), 8},
		"half as many":  {message.LaneNormal, dispatched(64, 1), 8},
		"few":           {message.LaneNormal, dispatched(5, 1), 5},
		"urgent":        {message.LaneHigh, dispatched(128, 1), 128},
		"tried before":  {message.LaneNormal, dispatched(128, 2), 128},
		"one among new": {message.LaneNormal, append(append(dispatched(8, 1), dispatched(1, 2)...), dispatched(119, 1)...), 10},
	} {
		t.Run(name, func(t *testing.T) {
			q := newPlace(t).open(t, func(c *rabbitmq.Config) { c.Parcel = 16 })
			if n := ready(t, q, c.lane, c.list); n != c.copies {
				t.Errorf("%d refs travel in %d copies, want %d", len(c.list), n, c.copies)
			}
		})
	}
}

func TestAParcelArrivesWholeAndInOrder(t *testing.T) {
	q := newPlace(t).open(t, func(c *rabbitmq.Config) { c.Parcel = 64 })
	sent := dispatched(128, 1)
	ready(t, q, message.LaneNormal, sent)
	var got []message.Ref
	ctx, cancel := context.WithCancel(t.Context())
	err := q.Consume(ctx, message.LaneNormal, func(c message.Copy) message.Verdict {
		if got = append(got, c.Refs...); len(got) >= len(sent) {
			cancel()
		}
		return message.VerdictAck
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range sent {
		if i >= len(got) || got[i] != ref {
			t.Fatalf("ref %d of %d: sent %v, got %v", i, len(sent), ref, got[min(i, len(got)-1)])
		}
	}
}

func TestEveryMemberOfAParcelThatNoQueueTookStays(t *testing.T) {
	p := newPlace(t)
	q := p.open(t, func(c *rabbitmq.Config) { c.Parcel = 16 })
	ready(t, q, message.LaneNormal, dispatched(1, 1))
	p.call(t, "DELETE", "/api/queues/"+p.vhost+"/"+queueName(message.LaneNormal), nil, nil)
	for i, err := range q.Publish(t.Context(), message.LaneNormal, dispatched(128, 1)) {
		if err == nil {
			t.Fatalf("ref %d counts as published", i)
		}
	}
}

func TestAParcelOfImpossibleSizeIsRefused(t *testing.T) {
	for _, size := range []int{-1, 65} {
		if _, err := rabbitmq.New(rabbitmq.Config{URLs: []string{"amqp://localhost/"}, Parcel: size}); err == nil {
			t.Errorf("a parcel of %d was taken", size)
		}
	}
}
