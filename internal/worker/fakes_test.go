package worker

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
)

// storeFuncs is a store made of functions; a nil one does the harmless thing.
type storeFuncs struct {
	claim func(message.Bid) (message.Claim, error)
	renew func(message.Held) (bool, error)
	mark  func(message.Held) (bool, error)

	mu       sync.Mutex
	record   func(message.Outcome) error
	outcomes []message.Outcome
	buried   []message.DeadLetter
}

func (s *storeFuncs) Claim(_ context.Context, bids []message.Bid) ([]message.Claim, error) {
	if s.claim != nil {
		c, err := s.claim(bids[0])
		return []message.Claim{c}, err
	}
	return []message.Claim{taken(bids[0])}, nil
}

func (s *storeFuncs) Renew(_ context.Context, held []message.Held) ([]bool, error) {
	ok := make([]bool, len(held))
	for i := range held {
		ok[i] = true
		if s.renew != nil {
			var err error
			if ok[i], err = s.renew(held[i]); err != nil {
				return nil, err
			}
		}
	}
	return ok, nil
}

func (s *storeFuncs) Mark(_ context.Context, held []message.Held) ([]bool, error) {
	if s.mark != nil {
		ok, err := s.mark(held[0])
		return []bool{ok}, err
	}
	return []bool{true}, nil
}

func (s *storeFuncs) Record(_ context.Context, outcomes []message.Outcome) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record != nil {
		if err := s.record(outcomes[0]); err != nil {
			return []error{err}
		}
	}
	s.outcomes = append(s.outcomes, outcomes[0])
	return []error{nil}
}

func (s *storeFuncs) Bury(_ context.Context, letters []message.DeadLetter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buried = append(s.buried, letters...)
	return nil
}

func (s *storeFuncs) recorded() []message.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]message.Outcome(nil), s.outcomes...)
}

func taken(b message.Bid) message.Claim {
	now := time.Now()
	return message.Claim{State: message.ClaimTaken, Work: &message.Work{
		Held: message.Held{Key: b.Key, Claim: 1}, Dispatch: b.Dispatch, ClaimedAt: now, DueAt: now,
		Message: &message.Message{ID: b.MessageID},
	}}
}

// senderFuncs is a sender made of functions.
type senderFuncs struct {
	send  func(ctx context.Context, mark func(context.Context) error) error
	probe func() error
}

func (s *senderFuncs) Send(ctx context.Context, _ *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	if s.send == nil {
		return message.Receipt{Code: 250}, mark(ctx)
	}
	return message.Receipt{Code: 250}, s.send(ctx, mark)
}

func (s *senderFuncs) Probe(context.Context) error {
	if s.probe == nil {
		return nil
	}
	return s.probe()
}

// handOver is a queue of one lane: copies go in, verdicts come out.
type handOver struct {
	copies   chan message.Copy
	verdicts chan message.Verdict
}

func newHandOver() *handOver {
	return &handOver{copies: make(chan message.Copy), verdicts: make(chan message.Verdict, 100)}
}

func (q *handOver) Consume(ctx context.Context, _ message.Lane, handle func(message.Copy) message.Verdict) error {
	for {
		select {
		case c := <-q.copies:
			q.verdicts <- handle(c)
		case <-ctx.Done():
			return nil
		}
	}
}

func aCopy() message.Copy {
	return message.Copy{Queue: "q", Refs: []message.Ref{{Key: message.Key{MessageID: uuid.New()}, Dispatch: 1}}}
}
