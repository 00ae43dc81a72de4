package conformance

import (
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func batchCases() []storeCase {
	return []storeCase{
		{"a batch is stored whole, and answered in its order", caseBatch},
		{"one bad message refuses a batch, and its key stays free", caseBatchAllOrNothing},
		{"the same batch again is told the same, refusals too", caseBatchReplay},
		{"a batch and a single message cannot share a key", caseBatchConflict},
		{"what a batch came to can be asked without taking its key", caseBatchAskReplay},
		{"a batch of which all was refused keeps its key", caseBatchOfNothing},
		{"an expired key of a batch is taken anew", caseBatchExpiredKey},
		{"16 callers with one key store one batch", caseBatchRace},
	}
}

// batchOf is a batch of n messages, changed as single ones are.
func batchOf(n int, change ...func(*message.Submission)) *message.Batch {
	b := &message.Batch{ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant}
	for range n {
		s := draft(1, change...)
		b.Messages = append(b.Messages, s.Message)
		b.IdempotencyKey, b.Hash = s.IdempotencyKey, s.Hash
	}
	return b
}

func (b *storeBench) acceptBatch(batch *message.Batch) message.BatchAnswer {
	b.Helper()
	answer, err := b.store.AcceptBatch(b.Context(), batch)
	b.check(err)
	return answer
}

func conflicts(err error) bool {
	var refused *message.Error
	return errors.As(err, &refused) && refused.Code == message.CodeIdempotencyConflict
}

func caseBatch(b *storeBench) {
	batch := batchOf(300)
	batch.Messages[1].Lane = message.LaneHigh
	batch.Messages[2].ScheduledAt = b.clock.Now().Add(time.Hour)
	batch.Messages[3].Attachments = []message.Attachment{
		{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 1, Data: []byte("x")},
	}
	answer := b.acceptBatch(batch)
	equal(b, "answer", answer, batch.Answer())
	equal(b, "outbox", b.outbox(), 300)
	for i, id := range []uuid.UUID{answer.IDs[0], answer.IDs[1], answer.IDs[2], answer.IDs[3], answer.IDs[299]} {
		v := b.view(message.Key{MessageID: id})
		equal(b, "deliveries", len(v.Deliveries), 1)
		equal(b, "status", v.Deliveries[0].Status, message.StatusQueued)
		equal(b, "lane", v.Message.Lane == message.LaneHigh, i == 1)
		equal(b, "scheduled", v.Message.ScheduledAt.IsZero(), i != 2)
		equal(b, "attachments", len(v.Message.Attachments) == 1, i == 3)
	}
	ids, _ := b.list(message.Filter{Limit: 1})
	equal(b, "newest", ids[0], answer.IDs[299])
}

func caseBatchAllOrNothing(b *storeBench) {
	taken := b.post()
	bad := batchOf(3, keyed("bad", 1))
	bad.Messages[2].ID = taken.MessageID
	_, err := b.store.AcceptBatch(b.Context(), bad)
	equal(b, "refused", err != nil && !errors.Is(err, message.ErrUnavailable), true)
	none := batchOf(2, keyed("bad", 1))
	none.Messages[1].Head.To = nil
	_, err = b.store.AcceptBatch(b.Context(), none)
	equal(b, "without recipients", err != nil, true)
	equal(b, "outbox", b.outbox(), 1)
	_, err = b.store.Email(b.Context(), message.DefaultTenant, bad.Messages[0].ID)
	equal(b, "the first of the bad batch", errors.Is(err, message.ErrNotFound), true)
	equal(b, "the key is free", b.acceptBatch(batchOf(1, keyed("bad", 2))).Replayed, false)
}

func caseBatchReplay(b *storeBench) {
	batch := batchOf(2, keyed("order", 1))
	batch.Refused = []message.Refusal{{Index: 1, Message: "/to/0: is \"no\" address"}}
	first := b.acceptBatch(batch)
	again := batchOf(3, keyed("order", 1)) // what is right now is not what was then
	second := b.acceptBatch(again)
	equal(b, "replayed", second.Replayed, true)
	second.Replayed = false
	equal(b, "answer", second, first)
	equal(b, "outbox", b.outbox(), 2)
	_, err := b.store.AcceptBatch(b.Context(), batchOf(2, keyed("order", 2)))
	equal(b, "another batch", conflicts(err), true)
	other := batchOf(1, keyed("order", 1))
	other.TenantID++
	other.Messages[0].TenantID++
	equal(b, "another tenant", b.acceptBatch(other).Replayed, false)
}

func caseBatchConflict(b *storeBench) {
	b.post(keyed("single", 1))
	_, err := b.store.AcceptBatch(b.Context(), batchOf(1, keyed("single", 2)))
	equal(b, "a batch with the key of a message", conflicts(err), true)
	b.acceptBatch(batchOf(2, keyed("batch", 2)))
	for _, s := range []message.Submission{draft(1, keyed("batch", 1)), withFile(draft(1, keyed("batch", 1)))} {
		got := b.store.Accept(b.Context(), []message.Submission{s})[0]
		equal(b, "a message with the key of a batch", conflicts(got.Err), true)
	}
	equal(b, "outbox", b.outbox(), 3)
}

// withFile sends a message the way of those with attachments.
func withFile(s message.Submission) message.Submission {
	s.Message.Attachments = []message.Attachment{{Filename: "a", ContentType: "text/plain", Disposition: "attachment", Size: 1, Data: []byte("x")}}
	return s
}

func caseBatchAskReplay(b *storeBench) {
	ask := func(key string, hash byte) (message.BatchAnswer, bool) {
		a, found, err := b.store.ReplayBatch(b.Context(), message.DefaultTenant, key, [32]byte{hash})
		b.check(err)
		return a, found
	}
	_, found := ask("order", 1)
	equal(b, "before the first request", found, false)
	first := b.acceptBatch(batchOf(2, keyed("order", 1)))
	got, found := ask("order", 1)
	equal(b, "found", found && got.Replayed, true)
	equal(b, "ids", got.IDs, first.IDs)
	_, found = ask("order", 2)
	equal(b, "another request", found, false)
	b.post(keyed("single", 1))
	_, found = ask("single", 1)
	equal(b, "a single message", found, false)
	b.clock.Advance(25 * time.Hour)
	_, found = ask("order", 1)
	equal(b, "a day later", found, false)
}

func caseBatchOfNothing(b *storeBench) {
	batch := batchOf(1, keyed("order", 1))
	batch.Messages, batch.Refused = nil, []message.Refusal{{Index: 0, Message: "no"}}
	first := b.acceptBatch(batch)
	equal(b, "ids", len(first.IDs), 0)
	again := b.acceptBatch(batchOf(1, keyed("order", 1)))
	equal(b, "again", len(again.IDs) == 0 && again.Replayed, true)
	equal(b, "refused", again.Refused, batch.Refused)
	equal(b, "outbox", b.outbox(), 0)
}

func caseBatchExpiredKey(b *storeBench) {
	b.acceptBatch(batchOf(1, keyed("order", 1)))
	b.clock.Advance(25 * time.Hour)
	equal(b, "replayed", b.acceptBatch(batchOf(1, keyed("order", 2))).Replayed, false)
}

func caseBatchRace(b *storeBench) {
	const callers = 16
	answers := make([]message.BatchAnswer, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { answers[i], errs[i] = b.store.AcceptBatch(b.Context(), batchOf(2, keyed("race", 1))) })
	}
	wg.Wait()
	fresh := 0
	for i, a := range answers {
		b.check(errs[i])
		equal(b, "ids", a.IDs, answers[0].IDs)
		if !a.Replayed {
			fresh++
		}
	}
	equal(b, "stored", fresh, 1)
	equal(b, "outbox", b.outbox(), 2)
}
