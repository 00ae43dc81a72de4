package conformance

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Clock stands still until it is told to move, wherever the database's own
// clock is.
type Clock struct{ at atomic.Int64 }

// NewClock returns a clock that stands at the present.
func NewClock() *Clock {
	c := &Clock{}
	c.at.Store(time.Now().UnixMilli())
	return c
}

// Offset is what has to be added to the database's time.
func (c *Clock) Offset() time.Duration { return time.Until(c.Now()) }

// Now is the time at which the clock stands.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.at.Load()).UTC() }

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

// storeBench is a store under test with the shorthand of the cases.
type storeBench struct {
	*testing.T
	store   StorePorts
	clock   *Clock
	fixture StoreFixture
	ticked  time.Time // by the real clock
}

func newStoreBench(t *testing.T, f StoreFixture) *storeBench {
	clock := NewClock()
	return &storeBench{T: t, store: f.Open(t, process(), clock), clock: clock, fixture: f, ticked: time.Now()}
}

// another is a second process on the same database.
func (b *storeBench) another() *storeBench {
	return &storeBench{T: b.T, store: b.fixture.Open(b.T, process(), b.clock), clock: b.clock, fixture: b.fixture, ticked: time.Now()}
}

func process() message.Process {
	return message.Process{ID: uuid.New(), Program: "postrider", Host: "test", PID: 1, Version: "test", State: "running"}
}

// check ends the case when an operation that must succeed did not.
func (b *storeBench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// equal compares what was got with what is right.
func equal[T any](b testing.TB, what string, got, want T) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// draft is a message for the given number of recipients, changed as asked.
func draft(recipients int, change ...func(*message.Submission)) message.Submission {
	m := &message.Message{
		ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Kind: message.ChannelEmail,
		Lane: message.LaneNormal, OnUnknown: message.Resend,
		Head:    message.Head{From: message.Address{Email: "app@example.com"}, Subject: "Hello"},
		Content: message.Content{Text: "Hi.", HTML: "<p>Hi.</p>"},
	}
	for n := range recipients {
		m.Head.To = append(m.Head.To, message.Address{Email: fmt.Sprintf("r%d@example.com", n)})
	}
	s := message.Submission{Message: m}
	for _, c := range change {
		c(&s)
	}
	return s
}

func onHold(s *message.Submission) { s.Message.OnUnknown = message.Hold }

// markedLater is for mail whose claim must not be its mark.
func (b *storeBench) markedLater(s *message.Submission) {
	if b.fixture.marking == message.MarkHold {
		s.Message.OnUnknown = message.Hold
	}
}

func keyed(key string, hash byte) func(*message.Submission) {
	return func(s *message.Submission) { s.IdempotencyKey, s.Hash = key, [32]byte{hash} }
}

func onLane(l message.Lane) func(*message.Submission) {
	return func(s *message.Submission) { s.Message.Lane = l }
}

func (b *storeBench) expiring(after time.Duration) func(*message.Submission) {
	return func(s *message.Submission) { s.Message.ExpiresAt = b.clock.Now().Add(after) }
}

func (b *storeBench) scheduled(after time.Duration) func(*message.Submission) {
	return func(s *message.Submission) { s.Message.ScheduledAt = b.clock.Now().Add(after) }
}

// post accepts a message and returns its first delivery.
func (b *storeBench) post(change ...func(*message.Submission)) message.Key {
	b.Helper()
	s := draft(1, change...)
	a := b.store.Accept(b.Context(), []message.Submission{s})[0]
	b.check(a.Err)
	b.tick()
	return message.Key{MessageID: a.ID}
}

// tick lets what is due now be due: the clock stands still, and the calls
// before took some time of their own, which on a busy machine is seconds.
func (b *storeBench) tick() {
	now := time.Now()
	b.clock.Advance(500*time.Millisecond + now.Sub(b.ticked))
	b.ticked = now
}

// publish relays everything due and returns what was published.
func (b *storeBench) publish() []message.Ref {
	b.Helper()
	b.tick()
	return b.publishDue()
}

func (b *storeBench) publishDue() []message.Ref {
	b.Helper()
	var all []message.Ref
	_, _, err := b.store.Dispatch(b.Context(), message.LaneNormal, 1000, func(_ context.Context, refs []message.Ref) []error {
		all = append(all, refs...)
		return make([]error, len(refs))
	})
	b.check(err)
	return all
}

// posted is a message that is with the broker.
func (b *storeBench) posted(change ...func(*message.Submission)) message.Ref {
	b.Helper()
	b.post(change...)
	refs := b.publish()
	equal(b, "published", len(refs), 1)
	return refs[0]
}

func (b *storeBench) bid(bids ...message.Bid) []message.Claim {
	b.Helper()
	claims, err := b.store.Claim(b.Context(), bids)
	b.check(err)
	equal(b, "answers", len(claims), len(bids))
	return claims
}

// claim takes a delivery that can be taken.
func (b *storeBench) claim(ref message.Ref) message.Held {
	b.Helper()
	c := b.bid(message.Bid{Ref: ref})[0]
	equal(b, "claim", c.State, message.ClaimTaken)
	return c.Work.Held
}

// claimed is a message in a worker's hands.
func (b *storeBench) claimed(change ...func(*message.Submission)) message.Held {
	b.Helper()
	return b.claim(b.posted(change...))
}

func (b *storeBench) mark(h message.Held) bool {
	b.Helper()
	ok, err := b.store.Mark(b.Context(), []message.Held{h})
	b.check(err)
	return ok[0]
}

// marked is a message whose final dot may be written.
func (b *storeBench) marked(change ...func(*message.Submission)) message.Held {
	b.Helper()
	h := b.claimed(change...)
	equal(b, "mark", b.mark(h), true)
	return h
}

func (b *storeBench) record(o ...message.Outcome) {
	b.Helper()
	b.check(errors.Join(b.store.Record(b.Context(), o)...))
}

func outcome(h message.Held, kind message.OutcomeKind, change ...func(*message.Outcome)) message.Outcome {
	o := message.Outcome{Held: h, Kind: kind, Attempt: message.Attempt{RelayHost: "mx.example.com", Code: 250, Detail: "said so"}}
	for _, c := range change {
		c(&o)
	}
	return o
}

func after(d time.Duration) func(*message.Outcome) { return func(o *message.Outcome) { o.After = d } }

// row reads a delivery.
func (b *storeBench) row(k message.Key) message.Delivery {
	b.Helper()
	return b.view(k).Deliveries[k.N]
}

func (b *storeBench) view(k message.Key) message.View {
	b.Helper()
	view, err := b.store.Email(b.Context(), message.DefaultTenant, k.MessageID)
	b.check(err)
	return view
}

// outbox counts the rows of all lanes.
func (b *storeBench) outbox() int64 {
	b.Helper()
	backlog, err := b.store.Backlog(b.Context())
	b.check(err)
	var rows int64
	for _, lane := range backlog {
		rows += lane.Rows
	}
	return rows
}

// status is short for what most cases ask.
func (b *storeBench) status(k message.Key, want message.Status) message.Delivery {
	b.Helper()
	d := b.row(k)
	equal(b, "status", d.Status, want)
	return d
}

// slack is more than a call takes on a busy machine, and less than lies between any two
// times that a case tells apart. The clock stands still, but a store is told how far it is
// from the database's when the call begins, and the database looks at its own when the
// call has come there.
const slack = 4 * time.Second

// near reports whether a time of the database is one of the clock, or later by what calls
// take; a millisecond earlier it may be by rounding.
func near(database, clock time.Time) bool {
	late := database.Sub(clock)
	return database.IsZero() == clock.IsZero() && late > -time.Second && late < slack
}

// code is the code of a refused request; "": it was not refused.
func code(err error) message.Code {
	var e *message.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
