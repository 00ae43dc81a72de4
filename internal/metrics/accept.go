package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

// Causes of what did not work, as labels.
const (
	causeConflict    = "conflict"
	causeUnavailable = "unavailable"
	causeUnroutable  = "unroutable"
	causeFull        = "full"
	causeUnconfirmed = "unconfirmed"
	causeOther       = "other"
)

type acceptStore struct {
	next accept.Store
	m    *Metrics
}

// AcceptStore counts what next commits.
func (m *Metrics) AcceptStore(next accept.Store) accept.Store { return acceptStore{next, m} }

// Accept implements accept.Store.
func (s acceptStore) Accept(ctx context.Context, subs []message.Submission) []message.Acceptance {
	begun := time.Now()
	answers := s.next.Accept(ctx, subs)
	s.m.acceptTook.Observe(time.Since(begun).Seconds())
	for i, a := range answers {
		lane := string(subs[i].Message.Lane)
		switch {
		case a.Err != nil:
			s.m.notAccepted.WithLabelValues(acceptCause(a.Err)).Inc()
		case a.Replayed:
			s.m.replayed.WithLabelValues(lane).Inc()
		default:
			s.m.accepted.WithLabelValues(lane).Inc()
		}
	}
	return answers
}

// Replay implements accept.Store. It is not counted: its lane is not known.
func (s acceptStore) Replay(ctx context.Context, tenant int64, key string, hash [32]byte) (message.Acceptance, bool, error) {
	return s.next.Replay(ctx, tenant, key, hash)
}

type batchStore struct {
	accept.BatchStore
	m *Metrics
}

// BatchStore counts what next commits.
func (m *Metrics) BatchStore(next accept.BatchStore) accept.BatchStore { return batchStore{next, m} }

// AcceptBatch implements accept.BatchStore. What is committed or not are all of
// its messages; a replayed batch is one request.
func (s batchStore) AcceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	begun := time.Now()
	answer, err := s.BatchStore.AcceptBatch(ctx, b)
	s.m.acceptTook.Observe(time.Since(begun).Seconds())
	for i, m := range b.Messages {
		switch {
		case err != nil:
			s.m.notAccepted.WithLabelValues(acceptCause(err)).Inc()
		case !answer.Replayed:
			s.m.accepted.WithLabelValues(string(m.Lane)).Inc()
		case i == 0:
			s.m.replayed.WithLabelValues(string(m.Lane)).Inc()
		}
	}
	return answer, err
}

func acceptCause(err error) string {
	var refused *message.Error
	switch {
	case errors.As(err, &refused):
		return causeConflict
	case errors.Is(err, message.ErrUnavailable):
		return causeUnavailable
	default:
		return causeOther
	}
}
