package inproc_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/inproc"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQueue(t *testing.T) {
	conformance.Queue(t, conformance.QueueEnrolment{
		Traits: conformance.QueueTraits{Capacity: inproc.DefaultCapacity},
		New: func(*testing.T) conformance.QueueFixture {
			return conformance.QueueFixture{Open: func(t *testing.T) conformance.QueuePorts {
				q := inproc.New(inproc.Config{})
				t.Cleanup(func() { _ = q.Stop(context.Background()) })
				return q
			}}
		},
	})
}

func ref() message.Ref {
	return message.Ref{Key: message.Key{MessageID: uuid.Must(uuid.NewV7())}, Dispatch: 1}
}

func TestRequeuedCopyGoesAheadOfOthers(t *testing.T) {
	q := inproc.New(inproc.Config{Capacity: 2})
	first, second := ref(), ref()
	q.Publish(t.Context(), message.LaneHigh, []message.Ref{first, second})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var order []message.Ref
	err := q.Consume(ctx, message.LaneHigh, func(c message.Copy) message.Verdict {
		order = append(order, c.Refs[0])
		switch len(order) {
		case 1:
			return message.VerdictRequeue
		case 3:
			cancel()
		}
		return message.VerdictAck
	})
	if err != nil || len(order) != 3 || order[0] != first || order[1] != first || order[2] != second {
		t.Errorf("%v: %v", err, order)
	}
}

func TestPublishersAndConsumersWhileStopping(t *testing.T) {
	for range 200 {
		q := inproc.New(inproc.Config{Capacity: 4})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { q.Publish(context.Background(), message.LaneLow, []message.Ref{ref(), ref(), ref()}) })
			all.Go(func() {
				_ = q.Consume(context.Background(), message.LaneLow, func(message.Copy) message.Verdict { return message.VerdictRequeue })
			})
			all.Go(func() { _ = q.Stop(context.Background()) })
		}
		all.Wait()
	}
}

func BenchmarkPublishConsume(b *testing.B) {
	q := inproc.New(inproc.Config{})
	done := make(chan struct{}, inproc.DefaultCapacity)
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	all.Go(func() {
		_ = q.Consume(ctx, message.LaneNormal, func(message.Copy) message.Verdict {
			done <- struct{}{}
			return message.VerdictAck
		})
	})
	refs := []message.Ref{ref()}
	b.ReportAllocs()
	for b.Loop() {
		if q.Publish(ctx, message.LaneNormal, refs)[0] == nil {
			<-done
		}
	}
	cancel()
	all.Wait()
}
