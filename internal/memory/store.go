package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Store is one process's access to the database. Safe for concurrent use.
type Store struct {
	db     *Database
	worker message.Process
	bell   chan struct{}
	rung   []message.Lane // what the bell is about
	over   chan struct{}  // closed when the process closed its store, or is gone
	closed bool
	gone   bool
	seen   map[message.Lane]time.Time // what Renew adds to the marks
}

var (
	errClosed     = errors.New("store closed")
	errRolledBack = errors.New("the transaction was rolled back")
)

// Open returns a store for the process, whose ID stands on its claims.
func (db *Database) Open(p message.Process) *Store {
	s := &Store{db: db, worker: p, bell: make(chan struct{}, 1), over: make(chan struct{})}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.stores = append(db.stores, s)
	return s
}

// Close ends the use of the store. A relay that is inside publish still settles;
// calls after it fail with message.ErrUnavailable. It may be repeated.
func (s *Store) Close() error {
	s.leave(false)
	return nil
}

// Crash is the sudden death of the process, also in mid call. Its transactions
// are rolled back at once: rows that it was about to publish are free for
// others, and nothing that its publish may still answer is settled. Whatever it
// calls after that fails with message.ErrUnavailable. Its claims stay until
// their leases end. It may be repeated.
func (s *Store) Crash() { s.leave(true) }

func (s *Store) leave(suddenly bool) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.gone = s.gone || suddenly
	if s.closed {
		return
	}
	s.closed = true
	close(s.over)
	s.db.stores = slices.DeleteFunc(s.db.stores, func(other *Store) bool { return other == s })
}

// begin starts a step, which has the database for itself until the lock is given
// back. It takes no lock where it returns an error.
func (s *Store) begin(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return unavailable(op, err)
	}
	s.db.mu.Lock()
	if s.closed {
		s.db.mu.Unlock()
		return unavailable(op, errClosed)
	}
	return nil
}

func unavailable(op string, cause error) error {
	return fmt.Errorf("%s: database %w: %w", op, message.ErrUnavailable, cause)
}

// Ping answers at once.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.begin(ctx, "ping"); err != nil {
		return err
	}
	s.db.mu.Unlock()
	return nil
}

// Clock is the database's time; its epoch changes with Database.Restart.
func (s *Store) Clock(ctx context.Context) (message.Clock, error) {
	if err := s.begin(ctx, "read the clock"); err != nil {
		return message.Clock{}, err
	}
	defer s.db.mu.Unlock()
	return message.Clock{Now: s.db.now(), Epoch: strconv.Itoa(s.db.epoch)}, nil
}

// Wait blocks until a row of some lane may have become due, or ctx ends, and
// returns such lanes. A hint while nobody waits is kept for the next who does.
func (s *Store) Wait(ctx context.Context) ([]message.Lane, error) {
	select {
	case <-s.bell:
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		lanes := s.rung
		s.rung = nil
		return lanes, nil
	case <-s.over:
		return nil, unavailable("wait for due mail", errClosed)
	case <-ctx.Done():
		return nil, unavailable("wait for due mail", ctx.Err())
	}
}

// ring tells every process that rows of the lane became due.
func (db *Database) ring(lane message.Lane) {
	for _, s := range db.stores {
		if !slices.Contains(s.rung, lane) {
			s.rung = append(s.rung, lane)
		}
		select {
		case s.bell <- struct{}{}:
		default:
		}
	}
}
