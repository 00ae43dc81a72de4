// Package memory keeps messages, deliveries and the outbox in memory, for the
// simulation of the delivery protocol: as a transactional database would, and
// fast enough for a hundred thousand short lives of one.
//
// What a step does to a row is said by the pure functions of the package message
// alone. What is written here is what a database adds to them: that steps are
// atomic, which rows a step finds, what the steps of one call mean for each
// other, and whose transaction is over when a process or the database goes away.
// The conformance suite and a differential test hold it to the SQL stores.
package memory

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const defaultLease = 20 * time.Second

// Config is what a Database is built from.
type Config struct {
	// Now is the database's clock, which may be set back; required. It is called
	// once for each step, and cut to milliseconds as the tables do.
	Now func() time.Time
	// Elapsed is a time that no step of the clock touches: how long a relay hangs
	// on its rows is measured by it. Nil: by Now.
	Elapsed func() time.Duration
	// Lease is how long a claim lives without being renewed; 20 s by default.
	Lease time.Duration
	// Marking says when claims are marked.
	Marking message.Marking
	// Random returns a number in [0, n), to spread what the sweep takes back; by
	// default one that no seed repeats.
	Random func(n int64) int64
}

// Database is the one that several processes share; see Open. Safe for
// concurrent use.
type Database struct {
	cfg Config

	mu      sync.Mutex
	epoch   int
	stores  []*Store
	mails   []*mail // as they were accepted, so that no order depends on a map's
	byID    map[uuid.UUID]*mail
	outbox  []entry // by the time they are due, see compareEntries
	keys    map[idempotent]first
	marks   map[message.Lane]time.Time // the newest publication of which a copy was claimed
	tenants map[string]int64
	workers []message.Process
	letters []message.DeadLetter
}

// New returns an empty database with the default tenant.
func New(cfg Config) *Database {
	if cfg.Lease == 0 {
		cfg.Lease = defaultLease
	}
	if cfg.Random == nil {
		cfg.Random = rand.Int64N
	}
	if cfg.Elapsed == nil {
		opened := cfg.Now()
		cfg.Elapsed = func() time.Duration { return cfg.Now().Sub(opened) }
	}
	return &Database{
		cfg: cfg, byID: map[uuid.UUID]*mail{}, keys: map[idempotent]first{}, marks: map[message.Lane]time.Time{},
		tenants: map[string]int64{"default": message.DefaultTenant},
	}
}

// Restart ends every transaction in hand, as a database does that goes down and
// comes back: relays that are inside publish settle nothing. What was committed
// stays.
func (db *Database) Restart() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.epoch++
}

// mail is a message with its rows.
type mail struct {
	message    *message.Message // never changed, and shared with those who claim
	deliveries []message.Delivery
	attempts   []message.Attempt
}

// now is the one time of a step.
func (db *Database) now() time.Time { return cut(db.cfg.Now()) }

// cut is a time as the tables keep it.
func cut(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// delivery returns the row of a key, nil where there is none.
func (db *Database) delivery(k message.Key) *message.Delivery {
	m := db.byID[k.MessageID]
	if m == nil {
		return nil
	}
	return m.delivery(k.N)
}

func (m *mail) delivery(n int16) *message.Delivery {
	if n < 0 || int(n) >= len(m.deliveries) {
		return nil
	}
	return &m.deliveries[n]
}

// put commits a step: the row, and what it means for the outbox.
func (db *Database) put(d *message.Delivery, next message.Delivery, now time.Time) {
	queued := d.Queued(next)
	*d = next
	if !queued {
		return
	}
	db.enqueue(&next)
	if !next.NextAttemptAt.After(now) {
		db.ring(next.Lane)
	}
}

// find returns up to limit rows that the guard admits, in the order of a time of
// theirs.
func (db *Database) find(limit int, by func(*message.Delivery) time.Time, guard func(*message.Delivery) bool) []*message.Delivery {
	var found []*message.Delivery
	for _, m := range db.mails {
		for i := range m.deliveries {
			if d := &m.deliveries[i]; guard(d) {
				found = append(found, d)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *message.Delivery) int { return by(a).Compare(by(b)) })
	return found[:min(limit, len(found))]
}

func compareKeys(a, b message.Key) int {
	return cmp.Or(compareIDs(a.MessageID, b.MessageID), cmp.Compare(a.N, b.N))
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
