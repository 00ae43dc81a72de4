package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// keptBatch is what a repetition of a batch is told. It stands under the key,
// since the emails that were refused have no other place.
type keptBatch struct {
	IDs     []uuid.UUID       `json:"ids"`
	Refused []message.Refusal `json:"refused,omitempty"`
}

// AcceptBatch commits all messages of a batch with its idempotency key, or
// nothing. With message.ErrUnavailable nobody knows whether it was committed.
func (s *Store) AcceptBatch(ctx context.Context, b *message.Batch) (answer message.BatchAnswer, err error) {
	err = s.tx(ctx, "accept a batch", func(ctx context.Context, t *txn) (err error) {
		answer, err = t.acceptBatch(ctx, b)
		return err
	})
	if err != nil {
		return message.BatchAnswer{}, err
	}
	return answer, nil
}

func (t *txn) acceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	jobs := make([]accepting, len(b.Messages))
	for i, m := range b.Messages {
		jobs[i] = accepting{Submission: message.Submission{Message: m}, answer: &message.Acceptance{}}
	}
	if err := ready(jobs); err != nil {
		return message.BatchAnswer{}, err
	}
	earlier, err := t.takeBatchKey(ctx, b)
	if err != nil {
		return message.BatchAnswer{}, err
	}
	if earlier != nil {
		return earlier.answerToBatch(b)
	}
	if err := t.insertAttachments(ctx, jobs); err != nil {
		return message.BatchAnswer{}, err
	}
	messages, err := t.messages(jobs)
	if err != nil {
		return message.BatchAnswer{}, err
	}
	return b.Answer(), t.last(ctx, append(messages, t.deliveries(jobs)...)...)
}

// takeBatchKey takes the key for the batch as a whole, and returns nil, or what
// stands under it. A key that another transaction is just taking is waited for.
func (t *txn) takeBatchKey(ctx context.Context, b *message.Batch) (*first, error) {
	if b.IdempotencyKey == "" {
		return nil, nil
	}
	answer := b.Answer()
	leader := accepting{
		Submission: message.Submission{
			Message: &message.Message{ID: b.ID, TenantID: b.TenantID}, IdempotencyKey: b.IdempotencyKey, Hash: b.Hash,
		},
		answer: &message.Acceptance{}, batch: &keptBatch{IDs: answer.IDs, Refused: answer.Refused},
	}
	leaders := map[idempotent]accepting{leader.idempotent(): leader}
	taken, err := t.takeKeys(ctx, leaders)
	if err != nil || taken[leader.idempotent()] {
		return nil, err
	}
	known, err := t.knownKeys(ctx, leaders, taken)
	if err != nil {
		return nil, err
	}
	earlier := known[leader.idempotent()]
	return &earlier, nil
}

// answerToBatch is what a batch is told whose key stands for this already.
func (f first) answerToBatch(b *message.Batch) (message.BatchAnswer, error) {
	switch {
	case f.hash != b.Hash:
		return message.BatchAnswer{}, conflict()
	case f.batch == nil:
		return message.BatchAnswer{}, fmt.Errorf("the answer kept under the key of batch %s is lost", f.answer.ID)
	}
	return f.batch.answer(), nil
}

func (k *keptBatch) answer() message.BatchAnswer {
	return message.BatchAnswer{IDs: k.IDs, Refused: k.Refused, Replayed: true}
}

// ReplayBatch answers what the first batch under the key came to, if it was the
// same one. It takes no key.
func (s *Store) ReplayBatch(ctx context.Context, tenant int64, key string, hash [32]byte) (message.BatchAnswer, bool, error) {
	f, found, err := s.standing(ctx, tenant, key)
	if err != nil || !found || f.hash != hash || f.batch == nil {
		return message.BatchAnswer{}, false, err
	}
	return f.batch.answer(), true, nil
}
