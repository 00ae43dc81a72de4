package memory

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// AcceptBatch commits all messages of a batch with its idempotency key, or
// nothing.
func (s *Store) AcceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	if err := s.begin(ctx, "accept a batch"); err != nil {
		return message.BatchAnswer{}, err
	}
	defer s.db.mu.Unlock()
	return s.db.acceptBatch(b)
}

func (db *Database) acceptBatch(b *message.Batch) (message.BatchAnswer, error) {
	now := db.now()
	for _, m := range b.Messages {
		if err := check(m, m.Recipients()); err != nil {
			return message.BatchAnswer{}, fmt.Errorf("accept a batch: %w", err)
		}
	}
	id := idempotent{tenant: b.TenantID, key: b.IdempotencyKey}
	if known, ok := db.keys[id]; ok && known.expiresAt.After(now) {
		return known.answerToBatch(b.Hash)
	}
	if err := db.free(b.Messages); err != nil {
		return message.BatchAnswer{}, err
	}
	if id.key != "" {
		replay := b.Answer()
		replay.Replayed = true
		db.keys[id] = first{
			hash: b.Hash, answer: message.Acceptance{ID: b.ID, Replayed: true}, batch: &replay, expiresAt: now.Add(keyLife),
		}
	}
	for _, m := range b.Messages {
		db.insert(m, m.Recipients(), now)
	}
	return b.Answer(), nil
}

func (f first) answerToBatch(hash [32]byte) (message.BatchAnswer, error) {
	switch {
	case f.hash != hash:
		return message.BatchAnswer{}, conflict()
	case f.batch == nil:
		return message.BatchAnswer{}, fmt.Errorf("accept a batch: the answer kept under the key of batch %s is lost", f.answer.ID)
	}
	return *f.batch, nil
}

// free reports whether none of the ids is taken.
func (db *Database) free(messages []*message.Message) error {
	seen := map[uuid.UUID]bool{}
	for _, m := range messages {
		if seen[m.ID] || db.byID[m.ID] != nil {
			return fmt.Errorf("accept a batch: message %s is there already", m.ID)
		}
		seen[m.ID] = true
	}
	return nil
}

// ReplayBatch answers what the first batch under the key came to, if it was the
// same one. It takes no key.
func (s *Store) ReplayBatch(ctx context.Context, tenant int64, key string, hash [32]byte) (message.BatchAnswer, bool, error) {
	if err := s.begin(ctx, "look for the first request of a key"); err != nil {
		return message.BatchAnswer{}, false, err
	}
	defer s.db.mu.Unlock()
	known, ok := s.db.keys[idempotent{tenant: tenant, key: key}]
	if !ok || !known.expiresAt.After(s.db.now()) || known.hash != hash || known.batch == nil {
		return message.BatchAnswer{}, false, nil
	}
	return *known.batch, true, nil
}
