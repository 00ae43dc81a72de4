package metrics

import (
	"context"
	"errors"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
)

type relayQueue struct {
	next relay.Queue
	m    *Metrics
}

// RelayQueue counts what is handed to next and what it takes.
func (m *Metrics) RelayQueue(next relay.Queue) relay.Queue { return relayQueue{next, m} }

// Publish implements relay.Queue.
func (q relayQueue) Publish(ctx context.Context, lane message.Lane, refs []message.Ref) []error {
	q.m.published.WithLabelValues(string(lane)).Add(float64(len(refs)))
	answers := q.next.Publish(ctx, lane, refs)
	for _, err := range answers {
		if err == nil {
			q.m.confirmed.WithLabelValues(string(lane)).Inc()
		} else {
			q.m.returned.WithLabelValues(publishCause(err)).Inc()
		}
	}
	return answers
}

// Ready implements relay.Queue.
func (q relayQueue) Ready(ctx context.Context, lane message.Lane) (int, error) {
	return q.next.Ready(ctx, lane)
}

func publishCause(err error) string {
	switch {
	case errors.Is(err, message.ErrUnroutable):
		return causeUnroutable
	case errors.Is(err, message.ErrQueueFull):
		return causeFull
	case errors.Is(err, message.ErrNotConfirmed):
		return causeUnconfirmed
	case errors.Is(err, message.ErrUnavailable):
		return causeUnavailable
	default:
		return causeOther
	}
}
