package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const keyLife = 24 * time.Hour // how long an Idempotency-Key is remembered

// idempotent names a key within its tenant.
type idempotent struct {
	tenant int64
	key    string
}

// first is what the first request under a key was, and came to.
type first struct {
	hash      [32]byte
	answer    message.Acceptance   // as a repetition is told
	batch     *message.BatchAnswer // in place of it, where the request was a batch
	expiresAt time.Time
}

// Accept commits messages with their deliveries, outbox rows and idempotency
// keys. One that cannot be stored gets its own error.
func (s *Store) Accept(ctx context.Context, submissions []message.Submission) []message.Acceptance {
	answers := make([]message.Acceptance, len(submissions))
	if err := s.begin(ctx, "accept"); err != nil {
		for i := range answers {
			answers[i].Err = err
		}
		return answers
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	for i, sub := range submissions {
		answers[i] = s.db.accept(sub, now)
	}
	return answers
}

// accept takes one message in, or nothing of it.
func (db *Database) accept(sub message.Submission, now time.Time) message.Acceptance {
	m := sub.Message
	recipients := m.Recipients()
	if err := check(m, recipients); err != nil {
		return message.Acceptance{Err: fmt.Errorf("accept: %w", err)}
	}
	id := idempotent{tenant: m.TenantID, key: sub.IdempotencyKey}
	if known, ok := db.keys[id]; ok && known.expiresAt.After(now) {
		return known.answerTo(sub.Hash)
	}
	if db.byID[m.ID] != nil {
		return message.Acceptance{Err: fmt.Errorf("accept: message %s is there already", m.ID)}
	}
	if id.key != "" {
		replay := message.Acceptance{ID: m.ID, Replayed: true, ScheduledAt: cut(m.ScheduledAt)}
		db.keys[id] = first{hash: sub.Hash, answer: replay, expiresAt: now.Add(keyLife)}
	}
	db.insert(m, recipients, now)
	return message.Acceptance{ID: m.ID, ScheduledAt: m.ScheduledAt}
}

// check refuses what the validator cannot have let through.
func check(m *message.Message, recipients []message.Recipient) error {
	switch {
	case m.ID == uuid.Nil:
		return errors.New("message without an id")
	case m.TenantID == 0:
		return errors.New("message without a tenant")
	case len(recipients) == 0:
		return errors.New("message without recipients")
	}
	return nil
}

func (f first) answerTo(hash [32]byte) message.Acceptance {
	if f.hash != hash {
		return message.Acceptance{Err: conflict()}
	}
	return f.answer
}

func conflict() *message.Error {
	return &message.Error{
		Code:   message.CodeIdempotencyConflict,
		Detail: "this Idempotency-Key was used for another request; use a new key for each new message",
	}
}

func (db *Database) insert(posted *message.Message, recipients []message.Recipient, now time.Time) {
	m := *posted
	m.OnUnknown = cmp.Or(m.OnUnknown, message.Resend)
	m.ScheduledAt, m.ExpiresAt, m.CreatedAt = cut(m.ScheduledAt), cut(m.ExpiresAt), now
	m.Attachments = slices.Clone(m.Attachments)
	due := m.ScheduledAt
	if due.IsZero() {
		due = now
	}
	kept := &mail{message: &m, deliveries: make([]message.Delivery, 0, len(recipients))}
	for n, r := range recipients {
		kept.deliveries = append(kept.deliveries, message.Delivery{
			Key: message.Key{MessageID: m.ID, N: int16(n)}, TenantID: m.TenantID, Channel: m.Kind, Role: r.Role,
			Address: r.Address, Lane: m.Lane, OnUnknown: m.OnUnknown, ExpiresAt: m.ExpiresAt,
			Status: message.StatusQueued, Dispatch: 1, NextAttemptAt: due,
		})
		db.enqueue(&kept.deliveries[n])
	}
	db.mails, db.byID[m.ID] = append(db.mails, kept), kept
}

// Replay answers what the first request under the key came to, if it was the
// same one. It takes no key.
func (s *Store) Replay(ctx context.Context, tenant int64, key string, hash [32]byte) (message.Acceptance, bool, error) {
	if err := s.begin(ctx, "look for the first request of a key"); err != nil {
		return message.Acceptance{}, false, err
	}
	defer s.db.mu.Unlock()
	known, ok := s.db.keys[idempotent{tenant: tenant, key: key}]
	if !ok || !known.expiresAt.After(s.db.now()) {
		return message.Acceptance{}, false, nil
	}
	return known.answer, known.hash == hash, nil
}
