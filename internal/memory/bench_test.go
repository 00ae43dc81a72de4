package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
)

// handful is about what a simulation holds.
const handful = 6

func benchmarked(b *testing.B, mails int) (*memory.Database, *memory.Store, []message.Ref) {
	at := time.Now()
	db := memory.New(memory.Config{Now: func() time.Time { return at }})
	s := db.Open(message.Process{ID: uuid.New()})
	var refs []message.Ref
	for range mails {
		sub := mail()
		if a := s.Accept(b.Context(), []message.Submission{sub})[0]; a.Err != nil {
			b.Fatal(a.Err)
		}
		refs = append(refs, message.Ref{Key: message.Key{MessageID: sub.Message.ID}, Dispatch: 1})
	}
	return db, s, refs
}

func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		memory.New(memory.Config{Now: time.Now}).Open(message.Process{})
	}
}

func BenchmarkAccept(b *testing.B) {
	_, s, _ := benchmarked(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		s.Accept(b.Context(), []message.Submission{mail()})
	}
}

// BenchmarkClaim claims and gives back, so that there is always one to claim.
func BenchmarkClaim(b *testing.B) {
	_, s, refs := benchmarked(b, handful)
	b.ReportAllocs()
	bid := []message.Bid{{Ref: refs[0]}}
	for b.Loop() {
		claims, err := s.Claim(b.Context(), bid)
		if err != nil || claims[0].Work == nil {
			b.Fatal(err, claims)
		}
		s.Record(b.Context(), []message.Outcome{{Held: claims[0].Work.Held, Kind: message.OutcomeReleased}})
		bid[0].Dispatch++
		if bid[0].Dispatch%handful == 0 {
			_, _, _ = s.Dispatch(b.Context(), message.LaneNormal, 100, confirm)
		}
	}
}

func BenchmarkRenew(b *testing.B) { benchmarkHold(b, (*memory.Store).Renew) }

func BenchmarkMark(b *testing.B) { benchmarkHold(b, (*memory.Store).Mark) }

// BenchmarkLife is one message from its acceptance to its end.
func BenchmarkLife(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		at := time.Now()
		s := memory.New(memory.Config{Now: func() time.Time { return at }}).Open(message.Process{})
		sub := mail()
		s.Accept(b.Context(), []message.Submission{sub})
		_, _, _ = s.Dispatch(b.Context(), message.LaneNormal, 100, confirm)
		claims, err := s.Claim(b.Context(), []message.Bid{{Ref: message.Ref{Key: message.Key{MessageID: sub.Message.ID}, Dispatch: 1}}})
		if err != nil {
			b.Fatal(err)
		}
		held := []message.Held{claims[0].Work.Held}
		_, _ = s.Mark(b.Context(), held)
		s.Record(b.Context(), []message.Outcome{{Held: held[0], Kind: message.OutcomeSent}})
	}
}

// BenchmarkSimulation is the store's share of a whole simulation: a database,
// a handful of messages, three processes, 300 calls, and a look at all rows
// now and then.
func BenchmarkSimulation(b *testing.B) {
	var seen memory.Snapshot
	b.ReportAllocs()
	for b.Loop() {
		db, s, refs := benchmarked(b, handful)
		db.Open(message.Process{})
		db.Open(message.Process{})
		for round := range 50 {
			_, _, _ = s.Dispatch(b.Context(), message.LaneNormal, 100, confirm)
			ref := refs[round%handful]
			ref.Dispatch += int32(round / handful)
			claims, _ := s.Claim(b.Context(), []message.Bid{{Ref: ref}})
			held := []message.Held{claims[0].Work.Held}
			_, _ = s.Renew(b.Context(), held)
			_, _ = s.Mark(b.Context(), held)
			s.Record(b.Context(), []message.Outcome{{Held: held[0], Kind: message.OutcomeRetry}})
			_, _ = s.SweepLeases(b.Context(), time.Now(), 100, 0)
			if round%8 == 0 {
				db.Snapshot(&seen)
			}
		}
	}
}

func BenchmarkRecordAgain(b *testing.B) {
	_, s, refs := benchmarked(b, handful)
	b.ReportAllocs()
	o := []message.Outcome{{Held: claimed(b, s, refs[0]), Kind: message.OutcomeSent}}
	for b.Loop() {
		s.Record(b.Context(), o)
	}
}

func BenchmarkSweep(b *testing.B) {
	_, s, _ := benchmarked(b, handful)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.SweepLeases(b.Context(), time.Now(), 100, 0)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	db, _, _ := benchmarked(b, handful)
	b.ReportAllocs()
	var seen memory.Snapshot
	for b.Loop() {
		db.Snapshot(&seen)
	}
}

func claimed(b *testing.B, s *memory.Store, ref message.Ref) message.Held {
	claims, err := s.Claim(b.Context(), []message.Bid{{Ref: ref}})
	if err != nil || claims[0].Work == nil {
		b.Fatal(err, claims)
	}
	return claims[0].Work.Held
}

func benchmarkHold(b *testing.B, call func(*memory.Store, context.Context, []message.Held) ([]bool, error)) {
	_, s, refs := benchmarked(b, handful)
	b.ReportAllocs()
	held := []message.Held{claimed(b, s, refs[0])}
	for b.Loop() {
		if ok, err := call(s, b.Context(), held); err != nil || !ok[0] {
			b.Fatal(ok, err)
		}
	}
}
