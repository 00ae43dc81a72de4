package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// The bytes of text from outside that are kept.
const (
	detailLimit   = 1000
	hostLimit     = 255
	enhancedLimit = 32
	remoteIDLimit = 255
)

// Record writes how tries ended, with their attempts. A write that its fence
// refuses is no error: the delivery has gone on without this holder.
func (s *Store) Record(ctx context.Context, outcomes []message.Outcome) []error {
	errs := make([]error, len(outcomes))
	if len(outcomes) == 0 {
		return errs
	}
	if err := s.begin(ctx, "record"); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	for _, o := range outcomes {
		s.db.record(o, now)
	}
	return errs
}

func (db *Database) record(o message.Outcome, now time.Time) {
	m := db.byID[o.MessageID]
	if m == nil {
		return
	}
	o.Reason = cmp.Or(o.Reason, message.ReasonRejected)
	o.After = o.After.Truncate(time.Millisecond)
	o.Attempt.RemoteID = clean(o.Attempt.RemoteID, remoteIDLimit)
	if d := m.delivery(o.N); d != nil {
		if next, ok := d.Record(o, now); ok {
			db.put(d, next, now)
		}
	}
	if o.Kind == message.OutcomeReleased {
		return
	}
	a := o.Attempt
	a.N, a.Claim, a.Outcome, a.RemoteID = o.N, o.Held.Claim, o.Kind, "" // the delivery has the id
	m.write(a, now, o.Kind == message.OutcomeSent)
}

// write adds a try to the history. The sweep may have written it down as
// interrupted or unknown: only a 250 knows better.
func (m *mail) write(a message.Attempt, now time.Time, better bool) {
	if a.StartedAt = cut(a.StartedAt); a.StartedAt.IsZero() {
		a.StartedAt = now
	}
	if a.FinishedAt = cut(a.FinishedAt); a.FinishedAt.IsZero() {
		a.FinishedAt = now
	}
	a.RelayHost, a.Enhanced = clean(a.RelayHost, hostLimit), clean(a.Enhanced, enhancedLimit)
	a.Detail = clean(a.Detail, detailLimit)
	at := slices.IndexFunc(m.attempts, func(b message.Attempt) bool { return b.N == a.N && b.Claim == a.Claim })
	switch {
	case at < 0:
		m.attempts = append(m.attempts, a)
	case better:
		m.attempts[at] = a
	}
}

// clean makes text from outside what a database can store.
func clean(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// Bury keeps copies that could not be turned into work.
func (s *Store) Bury(ctx context.Context, letters []message.DeadLetter) error {
	if err := s.begin(ctx, "bury"); err != nil {
		return err
	}
	defer s.db.mu.Unlock()
	for _, l := range letters {
		l.Body = slices.Clone(l.Body)
		s.db.letters = append(s.db.letters, l)
	}
	return nil
}

// Heartbeat notes that a process is alive and in which state.
func (s *Store) Heartbeat(ctx context.Context, p message.Process) error {
	if err := s.begin(ctx, "heartbeat"); err != nil {
		return err
	}
	defer s.db.mu.Unlock()
	at := slices.IndexFunc(s.db.workers, func(other message.Process) bool { return other.ID == p.ID })
	if at < 0 {
		s.db.workers = append(s.db.workers, p)
	} else {
		s.db.workers[at].State = p.State
	}
	return nil
}

// EnsureTenants returns the numbers of tenants and creates those that are
// missing. "default" is message.DefaultTenant.
func (s *Store) EnsureTenants(ctx context.Context, names []string) (map[string]int64, error) {
	if err := s.begin(ctx, "tenants"); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	numbers := make(map[string]int64, len(names))
	for _, name := range names {
		if s.db.tenants[name] == 0 { // none is ever deleted, so that their number is the highest
			s.db.tenants[name] = int64(len(s.db.tenants)) + message.DefaultTenant
		}
		numbers[name] = s.db.tenants[name]
	}
	return numbers, nil
}

// mail returns a message of the tenant with its rows.
func (db *Database) mail(tenant int64, id uuid.UUID) (*mail, error) {
	m := db.byID[id]
	if m == nil || m.message.TenantID != tenant {
		return nil, message.ErrNotFound
	}
	return m, nil
}
