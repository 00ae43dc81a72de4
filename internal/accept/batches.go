package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// batchTimeout is storeTimeout for a batch, which may be fifty megabytes.
const batchTimeout = 20 * time.Second

// BatchStore commits batches.
//
// AcceptBatch writes the idempotency key and every message with its deliveries
// and outbox rows in one transaction: all of them or nothing. The same key with
// the same hash answers what the first request came to, and Replayed; with
// another hash, or where the key is a single message's, the error is a
// *message.Error with CodeIdempotencyConflict. Two batches of one key at the
// same moment: the second waits for the first. A lost reply of the commit is
// message.ErrUnavailable: the caller repeats with the same key.
//
// ReplayBatch answers what an earlier batch with this key and hash came to;
// found is false where there was none. Both are safe for concurrent use.
type BatchStore interface {
	AcceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error)
	ReplayBatch(ctx context.Context, tenant int64, key string, hash [32]byte) (answer message.BatchAnswer, found bool, err error)
}

// Batches takes several messages in with one request. Safe for concurrent use.
type Batches struct {
	store BatchStore
	*Service
}

// NewBatches returns a service for batches. Each email is composed, held to its key
// and has its files kept as one that single accepts.
func NewBatches(store BatchStore, single *Service) *Batches {
	return &Batches{store: store, Service: single}
}

// AcceptBatch validates every email, holds it to what the grant allows, and
// commits, in one transaction, all of them or, in a permissive batch, those that
// are right.
//
// The error is a *message.Error when the batch is refused as a whole, with a
// pointer to each fault that begins with the email's index; or wraps
// message.ErrUnavailable when nobody knows whether it was committed: repeated
// with the same key it is committed once.
func (s *Batches) AcceptBatch(ctx context.Context, by *message.Grant, d *message.BatchDraft) (message.BatchAnswer, error) {
	held := s.room()
	defer held.leave()
	b, places, faults, err := s.validate(ctx, by.TenantID, d, held)
	if err != nil {
		return message.BatchAnswer{}, err
	}
	if err := faults.Err(); err != nil {
		return s.replayBatch(ctx, b, err)
	}
	counted, err := s.admitAll(ctx, by, b, places, d.Permissive)
	if err != nil {
		return s.replayBatch(ctx, b, err)
	}
	answer, tried, err := s.keepAndCommit(ctx, b)
	if len(counted) > 0 && (!tried || notStored(message.Acceptance{Replayed: answer.Replayed}, err)) {
		s.guard.GiveBack(ctx, by, counted)
	}
	return answer, err
}

// keepAndCommit stores the batch, after the files that are more than a message carries in
// itself. A repetition is answered before those are kept again. Tried is as of take.
func (s *Batches) keepAndCommit(ctx context.Context, b *message.Batch) (answer message.BatchAnswer, tried bool, err error) {
	large := slices.DeleteFunc(slices.Clone(b.Messages), func(m *message.Message) bool { return !s.tooLarge(m) })
	if len(large) > 0 {
		answer, err = s.replayBatch(ctx, b, errNotKnown)
		if !errors.Is(err, errNotKnown) {
			return answer, false, err
		}
	}
	for _, m := range large {
		if err := s.keepFiles(ctx, m); err != nil {
			return message.BatchAnswer{}, false, fmt.Errorf("accept a batch: %w", err)
		}
	}
	answer, err = s.commitBatch(ctx, b)
	return answer, true, err
}

// commitBatch stores the batch and wakes its lanes.
func (s *Batches) commitBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, batchTimeout, fmt.Errorf("commit took longer than %v", batchTimeout))
	defer cancel()
	answer, err := s.store.AcceptBatch(ctx, b)
	if err != nil {
		return message.BatchAnswer{}, fmt.Errorf("accept a batch: %w", err)
	}
	if !answer.Replayed {
		s.wakeLanes(b)
	}
	return answer, nil
}

// admitAll holds the messages to their key, as Service.admit does with one. What it
// refuses of a permissive batch is taken out of it. It returns what was counted.
func (s *Batches) admitAll(ctx context.Context, by *message.Grant, b *message.Batch, places []int, permissive bool) ([]message.Admission, error) {
	switch {
	case !by.May(message.RightSend):
		return nil, &message.Error{Code: message.CodeRestrictedAPIKey, Detail: "this API key may not send"}
	case !by.Restricted() || len(b.Messages) == 0:
		return nil, nil
	case s.guard == nil:
		return nil, errors.New("accept a batch: nobody is there to hold a key to its limits")
	}
	var counted []message.Admission
	var admitted []*message.Message
	var fatal error
	for i, a := range s.guard.Admit(ctx, by, b.Messages) {
		var refused *message.Error
		switch {
		case a.Err == nil:
			admitted = append(admitted, b.Messages[i])
			if a.Recipients > 0 {
				counted = append(counted, a)
			}
		case permissive && errors.As(a.Err, &refused):
			b.Refused = append(b.Refused, message.Refuse(places[i], refused))
		case fatal == nil:
			fatal = a.Err
		}
	}
	if fatal != nil {
		if len(counted) > 0 {
			s.guard.GiveBack(ctx, by, counted)
		}
		return nil, fatal
	}
	b.Messages = admitted
	slices.SortFunc(b.Refused, func(x, y message.Refusal) int { return x.Index - y.Index })
	return counted, nil
}

// validate makes messages of the emails that are right, and says at which places
// those stand. The faults are those that refuse the batch as a whole. It ends with the
// email that makes the batch too large: templates may make far more of the rest.
func (s *Batches) validate(ctx context.Context, tenant int64, d *message.BatchDraft, held *room) (b *message.Batch, places []int, faults message.Faults, err error) {
	b = &message.Batch{ID: message.NewID(), TenantID: tenant, IdempotencyKey: d.IdempotencyKey, Hash: d.Hash}
	total, files := 0, 0
	for i, item := range d.Items {
		m, refused, err := s.message(ctx, tenant, item)
		switch {
		case err != nil:
			return nil, nil, faults, err
		case refused == nil:
			m.ID, m.TenantID = message.NewID(), tenant
			b.Messages, places, total = append(b.Messages, m), append(places, i), total+m.Bytes()
			files += len(m.Attachments)
		case d.Permissive:
			b.Refused = append(b.Refused, message.Refuse(i, refused))
		default:
			faults.AddAt(message.Pointer(strconv.Itoa(i)), refused)
		}
		if total > s.limits.BatchBytes {
			faults.Add("", message.CodeMessageTooLarge, fmt.Sprintf("all emails together are more than %d bytes", s.limits.BatchBytes))
			break
		}
		if files > s.limits.BatchFiles { // each is a statement of its own, and one transaction has them all
			faults.Add("", message.CodeTooLarge, fmt.Sprintf("all emails together have more than %d attachments", s.limits.BatchFiles))
			break
		}
		if refused == nil {
			if err := held.take(m); err != nil {
				return nil, nil, faults, err
			}
		}
	}
	return b, places, faults, nil
}

func (s *Batches) message(ctx context.Context, tenant int64, item message.BatchItem) (m *message.Message, refused *message.Error, err error) {
	if item.Err != nil {
		return nil, item.Err, nil
	}
	m, err = s.Compose(ctx, tenant, item.Draft, s.now())
	if errors.As(err, &refused) {
		return nil, refused, nil
	}
	return m, nil, err
}

// replayBatch is for a batch that is refused now, as Service.replay is for a message.
func (s *Batches) replayBatch(ctx context.Context, b *message.Batch, refusal error) (message.BatchAnswer, error) {
	if b.IdempotencyKey == "" {
		return message.BatchAnswer{}, refusal
	}
	answer, found, err := s.store.ReplayBatch(ctx, b.TenantID, b.IdempotencyKey, b.Hash)
	switch {
	case err != nil:
		return message.BatchAnswer{}, fmt.Errorf("accept a batch: %w", err)
	case !found:
		return message.BatchAnswer{}, refusal
	}
	return answer, nil
}

// wakeLanes wakes each lane that got something, once.
func (s *Batches) wakeLanes(b *message.Batch) {
	woken := map[message.Lane]bool{}
	for _, m := range b.Messages {
		if !woken[m.Lane] {
			woken[m.Lane] = true
			s.wake(m.Lane)
		}
	}
}
