package conformance

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/message"
)

// BlobStore is a store that keeps account of blobs.
type BlobStore interface {
	StorePorts
	blobs.Ledger
	blobs.Index
}

// BlobLedger is the suite for stores whose messages refer to blobs. parts is the store's
// own place for them.
func BlobLedger(t *testing.T, open func(t *testing.T, clock *Clock) (BlobStore, blobs.Place)) {
	t.Helper()
	for _, c := range ledgerCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			s, place := open(t, clock)
			b := &storeBench{T: t, store: s, clock: clock, ticked: time.Now()}
			c.run(&ledgerBench{storeBench: b, ledger: s, place: place})
		})
	}
}

type ledgerCase struct {
	name string
	run  func(*ledgerBench)
}

func ledgerCases() []ledgerCase {
	return []ledgerCase{
		{"a message takes its blobs off the list", caseBlobBound},
		{"a blob without a message is doomed after its time, and forgotten", caseBlobLoose},
		{"a message cannot refer to a doomed blob, and nothing of it is stored", caseBlobDoomed},
		{"a message cannot refer to a blob that was never reserved", caseBlobNotReserved},
		{"another tenant's blob cannot be referred to", caseBlobOfAnother},
		{"a repetition leaves its blobs loose", caseBlobOfReplay},
		{"what could not be deleted comes again later, and does not stand in the way", caseBlobAgain},
		{"claims carry small attachments, and name the blobs of others", caseBlobClaimed},
		{"an attachment can be asked for by its tenant alone", caseBlobIndex},
		{"large attachments stored with their message are read in parts", caseBlobInRow},
	}
}

type ledgerBench struct {
	*storeBench
	ledger BlobStore
	place  blobs.Place
}

const looseFor = time.Hour

// file is an attachment that refers to a new blob; its bytes.
func (b *ledgerBench) file(size int) (message.Attachment, []byte) {
	data := make([]byte, size)
	_, _ = rand.Read(data) // never fails
	return message.Attachment{
		Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(size), SHA256: sha256.Sum256(data),
		Blob: message.Blob{ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Place: "parts", Size: int64(size)},
	}, data
}

func (b *ledgerBench) reserved() message.Attachment {
	b.Helper()
	a, _ := b.file(1 << 20)
	b.check(b.ledger.Reserve(b.Context(), []message.Blob{a.Blob}))
	return a
}

func withFiles(files ...message.Attachment) func(*message.Submission) {
	return func(s *message.Submission) { s.Message.Attachments = files }
}

func (b *ledgerBench) doom() []message.Blob {
	b.Helper()
	doomed, err := b.ledger.Doom(b.Context(), looseFor, 100)
	b.check(err)
	return doomed
}

func caseBlobBound(b *ledgerBench) {
	first, second := b.reserved(), b.reserved()
	b.post(withFiles(first, second))
	b.clock.Advance(24 * time.Hour)
	equal(b.storeBench, "doomed", len(b.doom()), 0)
}

func caseBlobLoose(b *ledgerBench) {
	a := b.reserved()
	b.clock.Advance(looseFor - time.Minute)
	equal(b.storeBench, "doomed before its time", len(b.doom()), 0)
	b.clock.Advance(2 * time.Minute)
	equal(b.storeBench, "doomed", b.doom(), []message.Blob{a.Blob})
	b.check(b.ledger.Forget(b.Context(), []message.Blob{a.Blob}))
	b.clock.Advance(24 * time.Hour)
	equal(b.storeBench, "doomed after it was forgotten", len(b.doom()), 0)
}

// refused posts a message that must not be stored.
func (b *ledgerBench) refused(change ...func(*message.Submission)) {
	b.Helper()
	s := draft(1, change...)
	err := b.store.Accept(b.Context(), []message.Submission{s})[0].Err
	equal(b.storeBench, "unavailable", errors.Is(err, message.ErrUnavailable), true)
	_, err = b.store.Email(b.Context(), message.DefaultTenant, s.Message.ID)
	equal(b.storeBench, "not stored", errors.Is(err, message.ErrNotFound), true)
	equal(b.storeBench, "outbox", b.outbox(), 0)
}

func caseBlobDoomed(b *ledgerBench) {
	good, doomed := b.reserved(), b.reserved()
	b.clock.Advance(looseFor + time.Minute)
	equal(b.storeBench, "doomed", len(b.doom()), 2)
	fresh := b.reserved()
	b.refused(withFiles(fresh, doomed), keyed("k", 1))
	b.check(b.ledger.Forget(b.Context(), []message.Blob{good.Blob}))
	b.refused(withFiles(good), keyed("k", 1))
	b.post(withFiles(fresh), keyed("k", 1)) // neither key nor blob was taken by what was refused
}

func caseBlobNotReserved(b *ledgerBench) {
	a, _ := b.file(1 << 20)
	b.refused(withFiles(a))
}

func caseBlobOfAnother(b *ledgerBench) {
	a := b.reserved()
	a.Blob.TenantID++
	b.refused(withFiles(a))
}

func caseBlobOfReplay(b *ledgerBench) {
	b.post(withFiles(b.reserved()), keyed("k", 1))
	again := b.reserved()
	a := b.store.Accept(b.Context(), []message.Submission{draft(1, withFiles(again), keyed("k", 1))})[0]
	b.check(a.Err)
	equal(b.storeBench, "replayed", a.Replayed, true)
	b.clock.Advance(looseFor + time.Minute)
	equal(b.storeBench, "doomed", b.doom(), []message.Blob{again.Blob})
}

func caseBlobAgain(b *ledgerBench) {
	stuck := b.reserved()
	b.clock.Advance(time.Minute)
	next := b.reserved()
	b.clock.Advance(looseFor + time.Minute)
	one := func() []message.Blob {
		doomed, err := b.ledger.Doom(b.Context(), looseFor, 1)
		b.check(err)
		return doomed
	}
	equal(b.storeBench, "first", one(), []message.Blob{stuck.Blob})
	equal(b.storeBench, "second", one(), []message.Blob{next.Blob})
	equal(b.storeBench, "none is left", len(one()), 0)
	b.clock.Advance(looseFor + time.Minute)
	equal(b.storeBench, "both again", len(b.doom()), 2)
}

func caseBlobClaimed(b *ledgerBench) {
	small := message.Attachment{Filename: "s", ContentType: "text/plain", Disposition: "attachment", Size: 2, SHA256: sha256.Sum256([]byte("ab")), Data: []byte("ab")}
	large := b.reserved()
	ref := b.posted(withFiles(small, large))
	got := b.bid(message.Bid{Ref: ref})[0].Work.Message.Attachments
	equal(b.storeBench, "attachments", got, []message.Attachment{small, large})
	small.Data = nil
	equal(b.storeBench, "shown", b.view(ref.Key).Message.Attachments, []message.Attachment{small, large})
}

func caseBlobIndex(b *ledgerBench) {
	large := b.reserved()
	key := b.post(withFiles(large))
	got, err := b.ledger.Attachment(b.Context(), message.DefaultTenant, key.MessageID, 0)
	b.check(err)
	equal(b.storeBench, "attachment", got, large)
	for _, ask := range []struct {
		tenant int64
		n      int
	}{{message.DefaultTenant + 1, 0}, {message.DefaultTenant, 1}} {
		_, err := b.ledger.Attachment(b.Context(), ask.tenant, key.MessageID, ask.n)
		equal(b.storeBench, "found", errors.Is(err, message.ErrNotFound), true)
	}
}

// caseBlobInRow is what came in before large attachments were kept apart.
func caseBlobInRow(b *ledgerBench) {
	a, data := b.file(message.LargestInline*2 + 7)
	a.Blob, a.Data = message.Blob{}, data
	ref := b.posted(withFiles(a))
	got := b.bid(message.Bid{Ref: ref})[0].Work.Message.Attachments[0]
	equal(b.storeBench, "bytes in the claim", len(got.Data), 0)
	r, err := b.place.Open(b.Context(), got.Blob)
	b.check(err)
	read, err := io.ReadAll(got.Checked(r))
	b.check(errors.Join(err, r.Close()))
	equal(b.storeBench, "bytes", bytes.Equal(read, data), true)
}
