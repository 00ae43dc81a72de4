package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
)

// slowStore takes a virtual second for every call and counts them.
type slowStore struct {
	storeFuncs
	claims, marks, records int
	err                    error
}

func (s *slowStore) Claim(_ context.Context, bids []message.Bid) ([]message.Claim, error) {
	<-time.After(time.Second)
	s.claims++
	claims := make([]message.Claim, len(bids))
	for i, b := range bids {
		claims[i] = taken(b)
	}
	return claims, s.err
}

func (s *slowStore) Mark(_ context.Context, held []message.Held) ([]bool, error) {
	<-time.After(time.Second)
	s.marks++
	ok := make([]bool, len(held))
	for i, h := range held {
		ok[i] = h.N == 0
	}
	return ok, s.err
}

func (s *slowStore) Record(_ context.Context, outcomes []message.Outcome) []error {
	<-time.After(time.Second)
	s.records++
	errs := make([]error, len(outcomes))
	for i, o := range outcomes {
		if o.N == 1 {
			errs[i] = s.err
		}
	}
	return errs
}

func TestCallsOfManyWorkersAreJoinedAndAnsweredApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{}
		b := NewBatched(s)
		b.Start()
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				held := message.Held{Key: message.Key{MessageID: uuid.New(), N: int16(n % 2)}, Claim: 1}
				claims, err := b.Claim(t.Context(), []message.Bid{{Ref: message.Ref{Key: held.Key}}})
				if err != nil || claims[0].Work.Key != held.Key {
					t.Errorf("claim of %v: %+v %v", held.Key, claims, err)
				}
				if ok, err := b.Mark(t.Context(), []message.Held{held}); err != nil || ok[0] != (n%2 == 0) {
					t.Errorf("mark %d: %v %v", n, ok, err)
				}
				if err := b.Record(t.Context(), []message.Outcome{{Held: held}})[0]; err != nil {
					t.Errorf("record: %v", err)
				}
			})
		}
		all.Wait()
		if s.claims > 2 || s.marks > 3 || s.records > 4 {
			t.Errorf("100 workers made %d claim, %d mark, %d record calls", s.claims, s.marks, s.records)
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsOfABatchKeepTheirKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBatched(&slowStore{err: message.ErrUnavailable})
		b.Start()
		if _, err := b.Claim(t.Context(), make([]message.Bid, 1)); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("claim: %v", err)
		}
		o := message.Outcome{Held: message.Held{Key: message.Key{N: 1}}}
		if err := b.Record(t.Context(), []message.Outcome{o})[0]; !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("record: %v", err)
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// pickyStore refuses every claim and mark of a call in which the second
// recipient of a message takes part.
type pickyStore struct{ storeFuncs }

var errPicky = errors.New("a row that cannot be read")

func (s *pickyStore) Claim(_ context.Context, bids []message.Bid) ([]message.Claim, error) {
	claims := make([]message.Claim, len(bids))
	for i, b := range bids {
		if b.N == 1 {
			return nil, errPicky
		}
		claims[i] = taken(b)
	}
	return claims, nil
}

func (s *pickyStore) Mark(_ context.Context, held []message.Held) ([]bool, error) {
	ok := make([]bool, len(held))
	for i, h := range held {
		if ok[i] = h.N != 1; !ok[i] {
			return nil, errPicky
		}
	}
	return ok, nil
}

func TestOneAtFaultDoesNotFailItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBatched(&pickyStore{})
		var all sync.WaitGroup
		for n := range int16(10) { // they gather until the start
			all.Go(func() {
				key := message.Key{MessageID: uuid.New(), N: n}
				claims, err := b.Claim(t.Context(), []message.Bid{{Ref: message.Ref{Key: key}}})
				if errors.Is(err, errPicky) != (n == 1) || err == nil && claims[0].Work.Key != key {
					t.Errorf("claim %d: %+v %v", n, claims, err)
				}
			})
			all.Go(func() {
				ok, err := b.Mark(t.Context(), []message.Held{{Key: message.Key{N: n}}})
				if errors.Is(err, errPicky) != (n == 1) || err == nil && !ok[0] {
					t.Errorf("mark %d: %v %v", n, ok, err)
				}
			})
		}
		synctest.Wait()
		b.Start()
		all.Wait()
		if err := b.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
