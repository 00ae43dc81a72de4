package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func searchCases() []storeCase {
	return []storeCase{
		{"a search finds what was posted, and nothing beside it", caseSearch},
		{"a search goes by all that it is asked for", caseSearchTogether},
		{"a search is paged like any list", caseSearchPages},
		{"a search goes by the time in the ids", caseSearchCreated},
		{"a search shows no other tenant's messages", caseSearchTenants},
		{"a page says where the next one goes on", caseNext},
		{"a message is read as it is sent", caseMessage},
	}
}

// found are the ids that a search finds, newest first.
func (b *storeBench) found(f message.Filter) []uuid.UUID {
	b.Helper()
	f.Limit = 100
	ids, more := b.list(f)
	equal(b, "more", more, false)
	return ids
}

// caseSearch posts one message of each kind, and looks for each by several ways.
// The others are there to be mistaken for it.
func caseSearch(b *storeBench) {
	head := func(change func(*message.Head)) uuid.UUID {
		return b.post(func(s *message.Submission) { change(&s.Message.Head) }).MessageID
	}
	ann := head(func(h *message.Head) { h.To[0].Email = "Ann.O'Neil+shop@example.com" })
	copied := head(func(h *message.Head) { h.Cc = []message.Address{{Email: "cy@example.com"}} })
	blind := head(func(h *message.Head) { h.Bcc = []message.Address{{Name: "D", Email: "δι@example.com"}} })
	head(func(h *message.Head) { h.ReplyTo = []message.Address{{Email: "ann.o'neil+shop@example.com"}} })
	umlaut := head(func(h *message.Head) { h.Subject = "GRÜSSE aus Köln <&> \"50 %\" _x_" })
	kelvin := head(func(h *message.Head) { h.Subject = "300 \u212a" })
	spring := head(func(h *message.Head) { h.Tags = []message.Tag{{Name: "campaign", Value: "spring"}} })
	autumn := head(func(h *message.Head) {
		h.Tags = []message.Tag{{Name: "kind", Value: "spring"}, {Name: "campaign", Value: "autumn"}}
	})
	head(func(h *message.Head) { h.Headers = []message.Header{{Name: "campaign", Value: "spring"}} })
	order := head(func(h *message.Head) {
		h.Metadata = map[string]string{"order": "4711", "note": "<b>\"ü\\\u2028&", "empty": ""}
	})
	ref := &message.TemplateRef{ID: uuid.MustParse("018bcfe5-6800-7abc-8000-0000000000ff"), Version: 3}
	made := head(func(h *message.Head) { h.Template = ref })
	head(func(h *message.Head) { h.Subject = ref.ID.String() })
	urgent := b.post(onLane(message.LaneCritical)).MessageID
	for i, c := range []struct {
		filter message.Filter
		want   []uuid.UUID
	}{
		{message.Filter{Recipient: "ann.o'neil+SHOP@example.com"}, []uuid.UUID{ann}},
		{message.Filter{Recipient: "ann.o'neil@example.com"}, nil},
		{message.Filter{Recipient: "%@example.com"}, nil},
		{message.Filter{Recipient: "cy@example.com"}, []uuid.UUID{copied}},
		{message.Filter{Recipient: "δι@example.com"}, []uuid.UUID{blind}},
		{message.Filter{Recipient: "app@example.com"}, nil},
		{message.Filter{Subject: "grüsse AUS kÖLN"}, []uuid.UUID{umlaut}},
		{message.Filter{Subject: `<&> "50 %" _X_`}, []uuid.UUID{umlaut}},
		{message.Filter{Subject: "g__sse"}, nil},
		{message.Filter{Subject: "%s%"}, nil},
		{message.Filter{Subject: "\u212a"}, []uuid.UUID{kelvin}},
		{message.Filter{Subject: "300 k"}, nil},
		{message.Filter{Tag: message.Tag{Name: "campaign"}}, []uuid.UUID{autumn, spring}},
		{message.Filter{Tag: message.Tag{Name: "campaign", Value: "spring"}}, []uuid.UUID{spring}},
		{message.Filter{Tag: message.Tag{Name: "Campaign"}}, nil},
		{message.Filter{Tag: message.Tag{Name: "campaign", Value: "spr"}}, nil},
		{message.Filter{Metadata: map[string]string{"order": "4711"}}, []uuid.UUID{order}},
		{message.Filter{Metadata: map[string]string{"order": "4711", "note": "<b>\"ü\\\u2028&"}}, []uuid.UUID{order}},
		{message.Filter{Metadata: map[string]string{"empty": ""}}, []uuid.UUID{order}},
		{message.Filter{Metadata: map[string]string{"order": "4711", "other": ""}}, nil},
		{message.Filter{Metadata: map[string]string{"order": "471"}}, nil},
		{message.Filter{Template: ref.ID}, []uuid.UUID{made}},
		{message.Filter{Template: uuid.New()}, nil},
		{message.Filter{Lane: message.LaneCritical}, []uuid.UUID{urgent}},
		{message.Filter{Lane: message.LaneLow}, nil},
	} {
		equal(b, fmt.Sprintf("search %d, %+v", i, c.filter), b.found(c.filter), c.want)
	}
}

func caseSearchTogether(b *storeBench) {
	tagged := func(s *message.Submission) { s.Message.Head.Tags = []message.Tag{{Name: "kind", Value: "order"}} }
	failed, sent := b.claimed(tagged), b.marked(tagged)
	b.record(outcome(failed, message.OutcomeFailed), outcome(sent, message.OutcomeSent))
	other := b.claimed()
	b.record(outcome(other, message.OutcomeFailed))
	sending := b.claimed(tagged)
	tag := message.Tag{Name: "kind"}
	for status, want := range map[message.Status][]uuid.UUID{
		message.StatusFailed: {failed.MessageID}, message.StatusSent: {sent.MessageID},
		message.StatusSending: {sending.MessageID}, message.StatusQueued: nil,
	} {
		equal(b, "tagged and "+string(status), b.found(message.Filter{Tag: tag, Status: status}), want)
	}
	equal(b, "tagged, failed, to r0", b.found(message.Filter{Tag: tag, Status: message.StatusFailed, Recipient: "r0@example.com"}), []uuid.UUID{failed.MessageID})
	equal(b, "tagged, failed, urgent", b.found(message.Filter{Tag: tag, Status: message.StatusFailed, Lane: message.LaneHigh}), nil)
}

func caseSearchPages(b *storeBench) {
	var ids []uuid.UUID
	for n := range 14 {
		key := b.post(func(s *message.Submission) {
			if n%2 == 0 {
				s.Message.Head.Subject = "Found"
			}
		})
		if n%2 == 0 {
			ids = append(ids, key.MessageID)
		}
	}
	slices.Reverse(ids)
	f := message.Filter{Limit: 3, Subject: "found"}
	first, more := b.list(f)
	equal(b, "first page", first, ids[:3])
	equal(b, "more", more, true)
	f.After = first[2]
	second, _ := b.list(f)
	equal(b, "second page", second, ids[3:6])
	f.After, f.Before = uuid.Nil, second[0]
	back, more := b.list(f)
	equal(b, "back", back, ids[:3])
	equal(b, "more", more, false)
}

// caseSearchCreated makes the ids itself: two of each millisecond.
func caseSearchCreated(b *storeBench) {
	base := time.UnixMilli(1_700_000_000_000)
	var ids []uuid.UUID
	for n := range 6 {
		id := uuid.MustParse(fmt.Sprintf("018bcfe5-680%d-7000-8000-00000000000%d", n/2, n%2))
		b.post(func(s *message.Submission) { s.Message.ID = id })
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	equal(b, "after", b.found(message.Filter{CreatedAfter: at(1)}), ids[:4])
	equal(b, "before", b.found(message.Filter{CreatedBefore: at(1)}), ids[4:])
	equal(b, "between", b.found(message.Filter{CreatedAfter: at(1), CreatedBefore: at(2)}), ids[2:4])
	equal(b, "after, from a cursor on", b.found(message.Filter{CreatedAfter: at(1), After: ids[1]}), ids[2:4])
	equal(b, "before, next to a newer page", b.found(message.Filter{CreatedBefore: at(2), Before: ids[4]}), ids[2:4])
	equal(b, "a cursor beyond", b.found(message.Filter{CreatedAfter: at(1), After: ids[4]}), nil)
	equal(b, "before all time", b.found(message.Filter{CreatedBefore: time.Unix(-1, 0)}), nil)
	equal(b, "since before all time", b.found(message.Filter{CreatedAfter: time.Unix(-1, 0)}), ids)
	equal(b, "after all", b.found(message.Filter{CreatedAfter: at(3)}), nil)
	equal(b, "with a state", b.found(message.Filter{CreatedAfter: at(2), Status: message.StatusQueued}), ids[:2])
}

func caseSearchTenants(b *storeBench) {
	tenants, err := b.store.EnsureTenants(b.Context(), []string{"acme"})
	b.check(err)
	theirs := draft(1, func(s *message.Submission) { s.Message.TenantID = tenants["acme"] })
	b.check(b.store.Accept(b.Context(), []message.Submission{theirs})[0].Err)
	mine := b.post().MessageID
	equal(b, "by recipient", b.found(message.Filter{Recipient: "r0@example.com"}), []uuid.UUID{mine})
	equal(b, "by subject", b.found(message.Filter{Subject: "hello"}), []uuid.UUID{mine})
	_, err = b.store.Message(b.Context(), message.DefaultTenant, theirs.Message.ID)
	equal(b, "their message", errors.Is(err, message.ErrNotFound), true)
}

func caseNext(b *storeBench) {
	var ids []uuid.UUID
	for range 4 {
		ids = append(ids, b.post().MessageID)
	}
	slices.Reverse(ids)
	page := func(f message.Filter) message.Page {
		f.TenantID, f.Limit = message.DefaultTenant, 2
		p, err := b.store.Emails(b.Context(), f)
		b.check(err)
		return p
	}
	for _, search := range []message.Filter{{}, {Subject: "hello"}, {Status: message.StatusQueued}} {
		first := page(search)
		equal(b, "next", first.Next, ids[1])
		search.After = first.Next
		equal(b, "after the last", page(search).Next, uuid.Nil)
		search.After, search.Before = uuid.Nil, ids[3]
		equal(b, "next, upwards", page(search).Next, ids[1])
	}
}

func caseMessage(b *storeBench) {
	data := bytes.Repeat([]byte{0, 1, 2}, 1000)
	key := b.post(func(s *message.Submission) {
		s.Message.Head.Bcc = []message.Address{{Email: "b@example.com"}}
		s.Message.Attachments = []message.Attachment{
			{Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(len(data)), Data: data},
			{Filename: "b.txt", ContentType: "text/plain", ContentID: "x", Disposition: "inline", Size: 1, Data: []byte("b")},
		}
	})
	m, err := b.store.Message(b.Context(), message.DefaultTenant, key.MessageID)
	b.check(err)
	view := b.view(key)
	equal(b, "head", m.Head, view.Message.Head)
	equal(b, "content", m.Content, message.Content{Text: "Hi.", HTML: "<p>Hi.</p>"})
	equal(b, "created", m.CreatedAt, view.Message.CreatedAt)
	equal(b, "files", len(m.Attachments), 2)
	equal(b, "first", bytes.Equal(m.Attachments[0].Data, data), true)
	equal(b, "second", string(m.Attachments[1].Data)+m.Attachments[1].ContentID, "bx")
	_, err = b.store.Message(b.Context(), message.DefaultTenant, uuid.New())
	equal(b, "no such message", errors.Is(err, message.ErrNotFound), true)
}
