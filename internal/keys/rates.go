package keys

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/batch"
	"github.com/postrider/postrider/internal/message"
)

// Window is what is left of a key's rate. The zero Window is of a key without.
type Window struct {
	Limit     int           // requests a second
	Remaining int           // that could be made now
	Reset     time.Duration // until all of them could
}

// rates counts requests, those that wait together in one statement.
type rates struct {
	counter Counter
	group   *batch.Batcher[*message.Grant, counted]

	mu   sync.Mutex
	busy map[uuid.UUID]refusal // keys that have nothing left
}

// refusal holds until its time: what a key may do only moves on as it is used, so
// that no other process can have been granted more before.
type refusal struct {
	until, full time.Time
}

type counted struct {
	window Window
	wait   time.Duration // until one would be granted; 0: this one was
	err    error
}

func newRates(c Counter) *rates {
	r := &rates{counter: c, busy: map[uuid.UUID]refusal{}}
	r.group = batch.New(group, r.count)
	return r
}

// take counts one request.
func (r *rates) take(ctx context.Context, by *message.Grant) (Window, error) {
	c, known := r.refused(by, time.Now())
	if !known {
		var err error
		if c, err = r.group.Do(ctx, by); err == nil {
			err = c.err
		}
		if err != nil {
			return Window{}, unavailable("count request", err)
		}
	}
	if c.wait > 0 {
		return c.window, &message.Error{
			Code: message.CodeRateLimit, Detail: fmt.Sprintf("this key may make %d requests a second", by.Rate), RetryAfter: c.wait,
		}
	}
	return c.window, nil
}

// refused answers without the database as long as it could only say no again: so
// a flood of one key's requests costs the others nothing.
func (r *rates) refused(by *message.Grant, now time.Time) (counted, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.busy[by.KeyID]
	if !ok {
		return counted{}, false
	}
	if !now.Before(b.until) {
		delete(r.busy, by.KeyID)
		return counted{}, false
	}
	return counted{window: Window{Limit: by.Rate, Reset: b.full.Sub(now)}, wait: b.until.Sub(now)}, true
}

// count asks for all that wait, key by key, and gives what is granted to those
// who came first.
func (r *rates) count(ctx context.Context, all []*message.Grant) []counted {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asks, place := sum(all, func(by *message.Grant) (*message.Grant, int) { return by, 1 })
	counts, err := r.counter.CountRequests(ctx, asks)
	if err == nil {
		r.remember(asks, counts, time.Now())
	}
	answers := make([]counted, len(all))
	for i, by := range all {
		if err != nil {
			answers[i].err = err
			continue
		}
		answers[i] = next(by, &counts[place[by.KeyID]])
	}
	return answers
}

// next takes one of what was granted.
func next(by *message.Grant, c *message.RateCount) counted {
	window := Window{Limit: by.Rate, Remaining: c.Left, Reset: c.Full}
	if c.Granted == 0 {
		return counted{window: window, wait: max(c.Next, time.Microsecond)}
	}
	c.Granted--
	window.Remaining += c.Granted
	return counted{window: window}
}

func (r *rates) remember(asks []message.CountAsk, counts []message.RateCount, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, ask := range asks {
		if c := counts[i]; c.Next > 0 {
			if len(r.busy) >= mostKnown {
				clear(r.busy) // they will be asked for again
			}
			r.busy[ask.By.KeyID] = refusal{until: now.Add(c.Next), full: now.Add(c.Full)}
		}
	}
}

// sum is what requests ask for, each key once, and where it stands.
func sum[T any](all []T, of func(T) (*message.Grant, int)) (asks []message.CountAsk, place map[uuid.UUID]int) {
	place = map[uuid.UUID]int{}
	for _, one := range all {
		by, n := of(one)
		i, there := place[by.KeyID]
		if !there {
			i = len(asks)
			place[by.KeyID] = i
			asks = append(asks, message.CountAsk{By: by})
		}
		asks[i].N += n
	}
	return asks, place
}
