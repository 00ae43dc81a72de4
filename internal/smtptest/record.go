package smtptest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Transaction is one mail transaction, from MAIL to its end, as the server saw
// it.
type Transaction struct {
	Session int    // which session, from 1
	N       int    // which transaction of the session, from 1
	From    string // the argument of MAIL FROM, without brackets
	Params  string // what followed it, such as SIZE=123 SMTPUTF8
	Rcpts   []string
	Data    []byte    // the content with dot-stuffing undone
	Size    int       // its length, also where Script.Forget keeps no Data
	Dot     bool      // the final dot was seen
	Reply   string    // what was answered to it; "" for nothing
	At      time.Time // when the transaction ended
	TLS     bool
	User    string // who had authenticated

	BareLF, BareCR, EightBit bool // the content held such bytes
	LongestLine              int  // without CRLF
}

// Accepted reports whether the server answered 2xx to the final dot.
func (t *Transaction) Accepted() bool { return t.Dot && strings.HasPrefix(t.Reply, "2") }

// Stats counts what a server has seen.
type Stats struct {
	Sessions int // but for those refused
	Open     int // sessions not yet ended
	Busy     int // those of them whose last mail was begun and not answered to its end
	Refused  int // sessions beyond Script.MaxSessions
	Steps    map[Step]int
	Accepted int
	Fired    map[int]int // how often each rule acted, by its index in the script
	Content  int64       // bytes that arrived in answer to the last 354, the dot's included
}

// Transactions lists all transactions in the order they ended, the broken ones
// too.
func (s *Server) Transactions() []Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Transaction(nil), s.done...)
}

// Mails lists the transactions that were accepted.
func (s *Server) Mails() []Transaction {
	var list []Transaction
	for _, t := range s.Transactions() {
		if t.Accepted() {
			list = append(list, t)
		}
	}
	return list
}

// Stats returns the counts of now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

func (s *Server) snapshot() Stats {
	st := s.stats
	st.Steps, st.Fired = maps.Clone(s.stats.Steps), maps.Clone(s.stats.Fired)
	return st
}

// Await waits until cond holds for the server's counts. Cond is called on every
// change.
func (s *Server) Await(ctx context.Context, cond func(Stats) bool) error {
	for {
		s.mu.Lock()
		st := s.snapshot()
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if cond(st) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("smtptest: awaited in vain, the server has seen %+v: %w", st, ctx.Err())
		}
	}
}

// AwaitMails waits until n mails are accepted.
func (s *Server) AwaitMails(ctx context.Context, n int) error {
	return s.Await(ctx, func(st Stats) bool { return st.Accepted >= n })
}

// AwaitStep waits until the step was seen n times.
func (s *Server) AwaitStep(ctx context.Context, step Step, n int) error {
	return s.Await(ctx, func(st Stats) bool { return st.Steps[step] >= n })
}

// note changes the record and wakes those who wait for it.
func (s *Server) note(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
