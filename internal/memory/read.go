package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const pageMost = 100

// Email reads one message of the tenant with all that happened to it. One that
// the tenant does not have is message.ErrNotFound.
func (s *Store) Email(ctx context.Context, tenant int64, id uuid.UUID) (message.View, error) {
	if err := s.begin(ctx, "read a message"); err != nil {
		return message.View{}, err
	}
	defer s.db.mu.Unlock()
	m, err := s.db.mail(tenant, id)
	if err != nil {
		return message.View{}, err
	}
	view := m.view(s.db.now())
	view.Message.Content = m.message.Content
	view.Message.Attachments = slices.Clone(m.message.Attachments)
	for i := range view.Message.Attachments {
		view.Message.Attachments[i].Data = nil
	}
	view.Attempts = slices.Clone(m.attempts)
	slices.SortFunc(view.Attempts, func(a, b message.Attempt) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.N, b.N), cmp.Compare(a.Claim, b.Claim))
	})
	return view, nil
}

// view is what lists show of a message.
func (m *mail) view(now time.Time) message.View {
	v := message.View{Message: *m.message, Deliveries: slices.Clone(m.deliveries), Now: now}
	v.Message.Content, v.Message.Attachments = message.Content{}, nil
	return v
}

// Emails reads a page of the tenant's messages, newest first, without content,
// attachments and attempts.
func (s *Store) Emails(ctx context.Context, filter message.Filter) (message.Page, error) {
	if err := s.begin(ctx, "list messages"); err != nil {
		return message.Page{}, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	found := s.db.search(filter, now)
	limit := min(max(filter.Limit, 1), pageMost)
	page := message.Page{HasMore: len(found) > limit}
	found = found[:min(len(found), limit)]
	if page.HasMore {
		page.Next = found[limit-1].message.ID
	}
	if filter.Upwards() {
		slices.Reverse(found)
	}
	for _, m := range found {
		page.Views = append(page.Views, m.view(now))
	}
	return page, nil
}

// search returns what the filter selects, from the newest; a page next to a
// newer one is searched from its older end.
func (db *Database) search(f message.Filter, now time.Time) []*mail {
	var found []*mail
	older, newer := f.Ends()
	for _, m := range db.mails {
		id := m.message.ID
		if m.message.TenantID == f.TenantID && compareIDs(id, older) > 0 && compareIDs(id, newer) < 0 &&
			f.Matches(m.message) && m.shows(f.Status, now) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b *mail) int { return compareIDs(b.message.ID, a.message.ID) })
	if f.Upwards() {
		slices.Reverse(found)
	}
	return found
}

// shows reports whether a recipient is in the status; "": any.
func (m *mail) shows(status message.Status, now time.Time) bool {
	return status == "" || slices.ContainsFunc(m.deliveries, func(d message.Delivery) bool { return d.Shown(now) == status })
}

// Backlog tells of each lane how many rows its outbox holds, how long the oldest
// due one has waited, and how long the oldest published delivery has waited for
// a worker.
func (s *Store) Backlog(ctx context.Context) ([]message.Backlog, error) {
	if err := s.begin(ctx, "read the backlog"); err != nil {
		return nil, err
	}
	defer s.db.mu.Unlock()
	now := s.db.now()
	var all []message.Backlog
	for _, lane := range message.Lanes() {
		b := message.Backlog{Lane: lane}
		for _, e := range s.db.outbox {
			if e.Lane == lane && e.Channel == message.ChannelEmail {
				b.Rows++
				b.OldestDue = max(b.OldestDue, now.Sub(e.DueAt))
			}
		}
		for _, m := range s.db.mails {
			for _, d := range m.deliveries {
				if d.Lane == lane && d.Status == message.StatusQueued && !d.PublishedAt.IsZero() {
					b.OldestUnclaimed = max(b.OldestUnclaimed, now.Sub(d.PublishedAt))
				}
			}
		}
		all = append(all, b)
	}
	return all, nil
}
