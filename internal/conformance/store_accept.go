package conformance

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func acceptCases() []storeCase {
	return []storeCase{
		{"accepted messages are queued for each recipient", caseAccept},
		{"a message reads back as it was posted", caseReadsBack},
		{"the same key and request answers the first message", caseReplay},
		{"the same key and another request is refused", caseConflict},
		{"what a key came to can be asked without taking it", caseAskReplay},
		{"one key twice in one call", caseTwiceInOneCall},
		{"an expired key is taken anew", caseExpiredKey},
		{"keys belong to tenants", caseKeysOfTenants},
		{"16 callers with one key store one message", caseKeyRace},
		{"a bad submission fails alone, and wholly", caseAllOrNothing},
		{"callers with overlapping keys do not deadlock", caseOverlappingKeys},
	}
}

func caseAccept(b *storeBench) {
	s := draft(3, onLane(message.LaneHigh))
	s.Message.Head.Bcc = []message.Address{{Email: "hidden@example.com"}}
	a := b.store.Accept(b.Context(), []message.Submission{s})[0]
	b.check(a.Err)
	equal(b, "id", a.ID, s.Message.ID)
	view := b.view(message.Key{MessageID: a.ID})
	equal(b, "deliveries", len(view.Deliveries), 4)
	for n, d := range view.Deliveries {
		equal(b, "n", int(d.N), n)
		equal(b, "status", d.Status, message.StatusQueued)
		equal(b, "dispatch", d.Dispatch, 1)
		equal(b, "lane", d.Lane, message.LaneHigh)
		equal(b, "due now", near(d.NextAttemptAt, b.clock.Now()), true)
	}
	equal(b, "role", view.Deliveries[3].Role, message.RoleBcc)
	equal(b, "outbox", b.outbox(), 4)
}

func caseAskReplay(b *storeBench) {
	ask := func(tenant int64, key string, hash byte) (message.Acceptance, bool) {
		a, found, err := b.store.Replay(b.Context(), tenant, key, [32]byte{hash})
		b.check(err)
		return a, found
	}
	_, found := ask(message.DefaultTenant, "order", 1)
	equal(b, "before the first request", found, false)
	s := draft(1)
	s.IdempotencyKey, s.Hash = "order", [32]byte{1}
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	a, found := ask(message.DefaultTenant, "order", 1)
	equal(b, "found", found && a.Replayed, true)
	equal(b, "id", a.ID, s.Message.ID)
	_, found = ask(message.DefaultTenant, "order", 2)
	equal(b, "another request", found, false)
	_, found = ask(message.DefaultTenant+1, "order", 1)
	equal(b, "another tenant", found, false)
	b.clock.Advance(25 * time.Hour)
	_, found = ask(message.DefaultTenant, "order", 1)
	equal(b, "a day later", found, false)
}

func caseReadsBack(b *storeBench) {
	data := bytes.Repeat([]byte{0, 255, 'x'}, 1000)
	s := draft(1, b.scheduled(time.Hour), b.expiring(2*time.Hour), onHold)
	m := s.Message
	m.Trace = "00-trace"
	m.Head.Headers = []message.Header{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: "2"}}
	m.Head.Metadata = map[string]string{"k": "ä\"\\"}
	m.Attachments = []message.Attachment{
		{Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(len(data)), SHA256: sha256.Sum256(data), Data: data},
		{Filename: "b.png", ContentType: "image/png", ContentID: "logo", Disposition: "inline", SHA256: sha256.Sum256(nil)},
	}
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	got := b.view(message.Key{MessageID: m.ID}).Message
	equal(b, "created", near(got.CreatedAt, b.clock.Now()), true)
	got.CreatedAt = time.Time{}
	want := *m
	want.Attachments = append([]message.Attachment(nil), m.Attachments...)
	want.Attachments[0].Data = nil
	equal(b, "message", got, want)

	b.clock.Advance(time.Hour)
	work := b.bid(message.Bid{Ref: b.publish()[0]})[0].Work
	equal(b, "content", work.Message.Content, m.Content)
	equal(b, "attachment", bytes.Equal(work.Message.Attachments[0].Data, data), true)
	equal(b, "empty attachment", len(work.Message.Attachments[1].Data), 0)
	equal(b, "due", work.DueAt, m.ScheduledAt)
	equal(b, "claimed", near(work.ClaimedAt, b.clock.Now()), true)
}

func caseReplay(b *storeBench) {
	first := draft(1, keyed("order-1", 1), b.scheduled(time.Hour))
	b.check(b.store.Accept(b.Context(), []message.Submission{first})[0].Err)
	again := b.store.Accept(b.Context(), []message.Submission{draft(1, keyed("order-1", 1))})[0]
	b.check(again.Err)
	equal(b, "id", again.ID, first.Message.ID)
	equal(b, "replayed", again.Replayed, true)
	equal(b, "scheduled", again.ScheduledAt, first.Message.ScheduledAt)
	equal(b, "outbox", b.outbox(), 1)
}

func caseConflict(b *storeBench) {
	b.post(keyed("order-1", 1))
	again := b.store.Accept(b.Context(), []message.Submission{draft(1, keyed("order-1", 2))})[0]
	equal(b, "code", code(again.Err), message.CodeIdempotencyConflict)
	equal(b, "outbox", b.outbox(), 1)
}

func caseTwiceInOneCall(b *storeBench) {
	list := []message.Submission{
		draft(1, keyed("k", 1)), draft(1), draft(1, keyed("k", 1)), draft(1, keyed("k", 2)), draft(1, keyed("j", 1)),
	}
	got := b.store.Accept(b.Context(), list)
	equal(b, "first", got[0], message.Acceptance{ID: list[0].Message.ID})
	equal(b, "without key", got[1], message.Acceptance{ID: list[1].Message.ID})
	equal(b, "again", got[2], message.Acceptance{ID: list[0].Message.ID, Replayed: true})
	equal(b, "other request", code(got[3].Err), message.CodeIdempotencyConflict)
	equal(b, "other key", got[4].Err, nil)
	equal(b, "outbox", b.outbox(), 3)
}

func caseExpiredKey(b *storeBench) {
	first := b.post(keyed("k", 1))
	b.clock.Advance(24*time.Hour + time.Minute)
	second := b.post(keyed("k", 2))
	equal(b, "another message", second.MessageID != first.MessageID, true)
	b.clock.Advance(24*time.Hour + time.Minute)
	_, err := b.store.SweepExpired(b.Context(), 100)
	b.check(err)
	equal(b, "a third", b.post(keyed("k", 3)).MessageID != second.MessageID, true)
}

func caseKeysOfTenants(b *storeBench) {
	tenants, err := b.store.EnsureTenants(b.Context(), []string{"default", "acme", "globex"})
	b.check(err)
	equal(b, "default", tenants["default"], message.DefaultTenant)
	again, err := b.store.EnsureTenants(b.Context(), []string{"globex", "acme"})
	b.check(err)
	equal(b, "stable", again["acme"] == tenants["acme"] && again["globex"] == tenants["globex"], true)
	b.post(keyed("k", 1))
	other := draft(1, keyed("k", 2), func(s *message.Submission) { s.Message.TenantID = tenants["acme"] })
	b.check(b.store.Accept(b.Context(), []message.Submission{other})[0].Err)
	_, err = b.store.Email(b.Context(), message.DefaultTenant, other.Message.ID)
	equal(b, "another tenant's message", errors.Is(err, message.ErrNotFound), true)
	n, err := b.store.Cancel(b.Context(), message.DefaultTenant, other.Message.ID)
	equal(b, "canceled by another tenant", n == 0 && errors.Is(err, message.ErrNotFound), true)
}

func caseKeyRace(b *storeBench) {
	const callers = 16
	answers := make([]message.Acceptance, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			answers[i] = b.store.Accept(b.Context(), []message.Submission{draft(1, keyed("race", 1))})[0]
		})
	}
	wg.Wait()
	fresh := 0
	for _, a := range answers {
		b.check(a.Err)
		equal(b, "id", a.ID, answers[0].ID)
		if !a.Replayed {
			fresh++
		}
	}
	equal(b, "stored", fresh, 1)
	equal(b, "outbox", b.outbox(), 1)
}

func caseAllOrNothing(b *storeBench) {
	taken := b.post()
	bad := draft(2, keyed("bad", 1))
	bad.Message.ID = taken.MessageID
	none := draft(1, keyed("none", 1))
	none.Message.Head.To = nil
	good := draft(1, keyed("good", 1))
	got := b.store.Accept(b.Context(), []message.Submission{bad, good, none})
	equal(b, "bad", got[0].Err != nil && got[0].ID == uuid.Nil, true)
	equal(b, "blamed on the database", errors.Is(got[0].Err, message.ErrUnavailable), false)
	b.check(got[1].Err)
	equal(b, "none", got[2].Err != nil, true)
	equal(b, "outbox", b.outbox(), 2)
	equal(b, "the bad one's key is free", b.post(keyed("bad", 2)).MessageID != taken.MessageID, true)
}

func caseOverlappingKeys(b *storeBench) {
	keys := []string{"a", "b", "c", "d", "e"}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var list []message.Submission
			for n := range keys {
				list = append(list, draft(1, keyed(keys[(i+n)%len(keys)], 1)))
			}
			for _, a := range b.store.Accept(b.Context(), list) {
				if a.Err != nil {
					b.Error(a.Err)
				}
			}
		})
	}
	wg.Wait()
	equal(b, "outbox", b.outbox(), int64(len(keys)))
}
