package rabbitmq_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

func TestStartAndStopInAnyOrder(t *testing.T) {
	p := newPlace(t)
	for range 15 {
		q, err := rabbitmq.New(rabbitmq.Config{URLs: []string{p.url}})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { _ = q.Start(context.Background()) })
			all.Go(func() { q.Publish(context.Background(), lane, refs(3)) })
			all.Go(func() { _, _ = q.Ready(context.Background(), lane) })
			all.Go(func() {
				_ = q.Consume(context.Background(), lane, func(message.Copy) message.Verdict { return message.VerdictAck })
			})
			all.Go(func() { q.State() })
			all.Go(func() {
				if err := q.Stop(context.Background()); err != nil {
					t.Errorf("stop: %v", err)
				}
			})
		}
		all.Wait()
		if err := q.Start(context.Background()); err == nil {
			t.Error("started after Stop")
		}
	}
}

func TestOneRoleOnly(t *testing.T) {
	p := newPlace(t)
	producer := p.open(t, func(c *rabbitmq.Config) { c.Roles = []rabbitmq.Role{rabbitmq.Publisher} })
	consumer := p.open(t, func(c *rabbitmq.Config) { c.Roles = []rabbitmq.Role{rabbitmq.Consumer} })
	copies := consuming(t, consumer, lane)
	ref := publishes(t, producer, lane)
	if c := receive(t, copies); c.Refs[0] != ref {
		t.Errorf("got %+v", c)
	}
	if _, err := consumer.Ready(t.Context(), lane); err != nil {
		t.Errorf("ready: %v", err)
	}
	if err := consumer.Publish(t.Context(), lane, refs(1))[0]; err == nil {
		t.Error("a consumer published")
	}
	if err := producer.Consume(t.Context(), lane, nil); err == nil {
		t.Error("a producer consumed")
	}
	if s := producer.State(); s.Consumer.Enabled || !s.Publisher.Enabled {
		t.Errorf("state: %+v", s)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := "amqp://user:hunter2@host/"
	for name, c := range map[string]rabbitmq.Config{
		"no URL":         {},
		"bad URL":        {URLs: []string{good, "amqp://user:hunter2@host:port/"}},
		"other scheme":   {URLs: []string{"http://user:hunter2@host/"}},
		"bad escape":     {URLs: []string{"amqp://user:hunter2%zz@host/"}},
		"prefix":         {URLs: []string{good}, Prefix: "a b"},
		"reserved":       {URLs: []string{good}, Prefix: "amq.x"},
		"queue type":     {URLs: []string{good}, QueueType: "stream"},
		"heartbeat":      {URLs: []string{good}, Heartbeat: 1},
		"window":         {URLs: []string{good}, Window: -1},
		"window too big": {URLs: []string{good}, Window: 1 << 20},
		"role":           {URLs: []string{good}, Roles: []rabbitmq.Role{"observer"}},
	} {
		_, err := rabbitmq.New(c)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
