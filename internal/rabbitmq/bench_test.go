package rabbitmq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

// Each benchmark has a plain loop over the client library beside it, which does
// the least that is safe, to compare with in the same run.

func benchQueue(b *testing.B) (*place, *rabbitmq.Queue) {
	p := newPlace(b)
	q := p.open(b, func(c *rabbitmq.Config) { c.Logger = nil })
	connected(b, q)
	return p, q
}

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 200, 1000} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			_, q := benchQueue(b)
			batch := refs(size)
			b.ResetTimer()
			for left := b.N; left > 0; left -= size {
				fill(b, q, batch[:min(size, left)])
			}
		})
	}
}

func BenchmarkPublishPlain(b *testing.B) {
	p, _ := benchQueue(b)
	ref := refs(1)[0]
	body := fmt.Appendf(nil, `{"items":[["%s",%d,%d]]}`, ref.MessageID, ref.N, ref.Dispatch)
	p.direct(b, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		window := make(chan *amqp.DeferredConfirmation, 500)
		b.ResetTimer()
		for range b.N {
			if len(window) == cap(window) {
				(<-window).Wait()
			}
			dc, err := ch.PublishWithDeferredConfirm("postrider", "email.normal", true, false,
				amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body})
			if err != nil {
				return err
			}
			window <- dc
		}
		for len(window) > 0 {
			(<-window).Wait()
		}
		b.StopTimer()
		return nil
	})
}

func fill(b *testing.B, q *rabbitmq.Queue, batch []message.Ref) {
	for _, err := range q.Publish(b.Context(), lane, batch) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	for _, channels := range []int{1, 32} {
		b.Run(fmt.Sprint("channels=", channels), func(b *testing.B) {
			_, q := benchQueue(b)
			fill(b, q, refs(b.N))
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var handled atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for range channels {
				running.Go(func() {
					_ = q.Consume(ctx, lane, func(message.Copy) message.Verdict {
						if handled.Add(1) == int64(b.N) {
							cancel()
						}
						return message.VerdictAck
					})
				})
			}
			running.Wait()
			b.StopTimer()
		})
	}
}

func BenchmarkConsumePlain(b *testing.B) {
	for _, channels := range []int{1, 32} {
		b.Run(fmt.Sprint("channels=", channels), func(b *testing.B) {
			p, q := benchQueue(b)
			fill(b, q, refs(b.N))
			conn, err := amqp.Dial(p.url)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			all := make([]<-chan amqp.Delivery, channels)
			for i := range all {
				all[i] = plainConsumer(b, conn)
			}
			var handled atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for _, deliveries := range all {
				running.Go(func() {
					for d := range deliveries {
						_ = d.Ack(false)
						if handled.Add(1) == int64(b.N) {
							go conn.Close()
						}
					}
				})
			}
			running.Wait()
			b.StopTimer()
		})
	}
}

func plainConsumer(b *testing.B, conn *amqp.Connection) <-chan amqp.Delivery {
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Qos(1, 0, false)
	}
	if err != nil {
		b.Fatal(err)
	}
	deliveries, err := ch.Consume(queueName(lane), "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	return deliveries
}
