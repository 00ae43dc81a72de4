package wire

import (
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Email is a message with all that happened to it: the answer of
// GET /v1/emails/{id}. It is a superset of what Resend's SDKs read.
type Email struct {
	Object        string            `json:"object"` // always "email"
	ID            string            `json:"id"`
	MessageID     string            `json:"message_id"` // the mail's Message-ID, with its brackets
	From          string            `json:"from"`
	To            []string          `json:"to"`
	Cc            []string          `json:"cc"`
	Bcc           []string          `json:"bcc"`
	ReplyTo       []string          `json:"reply_to"`
	Subject       string            `json:"subject"`
	HTML          *string           `json:"html"`
	Text          *string           `json:"text"`
	CreatedAt     Time              `json:"created_at"`
	ScheduledAt   Time              `json:"scheduled_at"` // null: at once
	ExpiresAt     Time              `json:"expires_at"`   // null: never
	Lane          message.Lane      `json:"lane"`
	OnUnknown     message.OnUnknown `json:"on_unknown"`
	Status        message.Status    `json:"status"`
	LastEvent     string            `json:"last_event"` // Status in the closed list Resend's SDKs know
	Counts        Counts            `json:"counts"`
	Recipients    []Recipient       `json:"recipients"`
	Attempts      []Attempt         `json:"attempts"`        // oldest first, across all recipients
	NextAttemptAt Time              `json:"next_attempt_at"` // the earliest of the recipients
	PossiblySent  bool              `json:"possibly_sent"`   // true for any of the recipients
	Tags          []message.Tag     `json:"tags"`
	Metadata      map[string]string `json:"metadata"`
	Headers       Headers           `json:"headers"`
	Attachments   []Attachment      `json:"attachments"`

	Template *message.TemplateRef `json:"template,omitempty"` // what it was made from; absent: it was written out
}

// Item is a message in a list: without what is long or belongs to one
// recipient.
type Item struct {
	Object        string            `json:"object"` // always "email"
	ID            string            `json:"id"`
	MessageID     string            `json:"message_id"` // the mail's Message-ID, with its brackets
	From          string            `json:"from"`
	To            []string          `json:"to"`
	Cc            []string          `json:"cc"`
	Bcc           []string          `json:"bcc"`
	ReplyTo       []string          `json:"reply_to"`
	Subject       string            `json:"subject"`
	CreatedAt     Time              `json:"created_at"`
	ScheduledAt   Time              `json:"scheduled_at"`
	ExpiresAt     Time              `json:"expires_at"`
	Lane          message.Lane      `json:"lane"`
	Status        message.Status    `json:"status"`
	LastEvent     string            `json:"last_event"`
	Counts        Counts            `json:"counts"`
	NextAttemptAt Time              `json:"next_attempt_at"`
	PossiblySent  bool              `json:"possibly_sent"`
	Tags          []message.Tag     `json:"tags"`
	Metadata      map[string]string `json:"metadata"`

	Template *message.TemplateRef `json:"template,omitempty"`
}

// List is one page of messages, newest first.
type List struct {
	Object  string  `json:"object"` // always "list"
	HasMore bool    `json:"has_more"`
	Next    *string `json:"next"` // with HasMore: where the next page begins
	Data    []Item  `json:"data"`
}

// Receipt answers a request that changed or created a message.
type Receipt struct {
	Object string         `json:"object"` // always "email"
	ID     string         `json:"id"`
	Status message.Status `json:"status,omitempty"`
}

// Counts is the number of recipients in each shown status that occurs.
type Counts map[message.Status]int

// Recipient is what became of one address.
type Recipient struct {
	Address       string         `json:"address"`
	Role          message.Role   `json:"role"`
	Status        message.Status `json:"status"`
	Reason        message.Reason `json:"reason,omitempty"` // with the status failed
	Attempts      int            `json:"attempts"`
	NextAttemptAt Time           `json:"next_attempt_at"`
	PossiblySent  bool           `json:"possibly_sent"`
	RemoteID      string         `json:"remote_id,omitempty"`
	FinishedAt    Time           `json:"finished_at"`
}

// Attempt is one try for one recipient.
type Attempt struct {
	Recipient    string              `json:"recipient"`
	StartedAt    Time                `json:"started_at"`
	FinishedAt   Time                `json:"finished_at"`
	DurationMS   int64               `json:"duration_ms"`
	WorkerID     string              `json:"worker_id"`
	RelayHost    string              `json:"relay_host"`
	Outcome      message.OutcomeKind `json:"outcome"`
	Code         int                 `json:"code,omitempty"`
	EnhancedCode string              `json:"enhanced_code,omitempty"`
	Detail       string              `json:"detail"`
}

// Attachment describes a file of the message, without its content.
type Attachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id,omitempty"`
	Size        int64  `json:"size"` // bytes, decoded
}

// NewEmail shows a message as it is at the database time of the view.
func NewEmail(v *message.View) Email {
	m, item := &v.Message, NewItem(v)
	e := Email{
		Object: item.Object, ID: item.ID, MessageID: item.MessageID, From: item.From, To: item.To, Cc: item.Cc, Bcc: item.Bcc,
		ReplyTo: item.ReplyTo, Subject: item.Subject, HTML: optional(m.Content.HTML), Text: optional(m.Content.Text),
		CreatedAt: item.CreatedAt, ScheduledAt: item.ScheduledAt, ExpiresAt: item.ExpiresAt,
		Lane: item.Lane, OnUnknown: m.OnUnknown, Status: item.Status, LastEvent: item.LastEvent, Counts: item.Counts,
		NextAttemptAt: item.NextAttemptAt, PossiblySent: item.PossiblySent, Tags: item.Tags, Metadata: item.Metadata,
		Headers: Headers(m.Head.Headers), Recipients: []Recipient{}, Attempts: []Attempt{}, Attachments: []Attachment{},
		Template: item.Template,
	}
	for i := range v.Deliveries {
		e.Recipients = append(e.Recipients, newRecipient(&v.Deliveries[i], v))
	}
	for i := range v.Attempts {
		e.Attempts = append(e.Attempts, newAttempt(&v.Attempts[i], v.Deliveries))
	}
	for _, a := range m.Attachments {
		e.Attachments = append(e.Attachments, Attachment{a.Filename, a.ContentType, a.ContentID, a.Size})
	}
	return e
}

// NewItem shows a message in a list.
func NewItem(v *message.View) Item {
	m := &v.Message
	status, counts := message.Summarize(v.Deliveries, v.Now)
	item := Item{
		Object: "email", ID: m.ID.String(), MessageID: m.HeaderID(), From: m.Head.From.String(), To: addresses(m.Head.To), Cc: addresses(m.Head.Cc),
		Bcc: addresses(m.Head.Bcc), ReplyTo: addresses(m.Head.ReplyTo), Subject: m.Head.Subject,
		CreatedAt: Time{m.CreatedAt}, ScheduledAt: scheduledAt(v), ExpiresAt: Time{m.ExpiresAt}, Lane: m.Lane,
		Status: status, LastEvent: lastEvent(status), Counts: counts, Tags: m.Head.Tags, Metadata: m.Head.Metadata,
		Template: m.Head.Template,
	}
	if item.Tags == nil {
		item.Tags = []message.Tag{}
	}
	if item.Metadata == nil {
		item.Metadata = map[string]string{}
	}
	for i := range v.Deliveries {
		d := &v.Deliveries[i]
		item.PossiblySent = item.PossiblySent || d.PossiblySent()
		if next := nextAttempt(d, v); !next.IsZero() && (item.NextAttemptAt.IsZero() || next.Before(item.NextAttemptAt.Time)) {
			item.NextAttemptAt = next
		}
	}
	return item
}

// scheduledAt is the time that the message waits for: where it was moved, the new one,
// since Resend's SDKs read it nowhere else. Moved to at once it is none. When it waits no
// more, it is the time of the post.
func scheduledAt(v *message.View) Time {
	posted, waits := v.Message.ScheduledAt, time.Time{}
	for i := range v.Deliveries {
		switch d := &v.Deliveries[i]; d.Shown(v.Now) {
		case message.StatusScheduled:
			if waits.IsZero() || d.NextAttemptAt.Before(waits) {
				waits = d.NextAttemptAt
			}
		case message.StatusQueued, message.StatusSending, message.StatusDelayed, message.StatusSent, message.StatusUnknown:
			if posted.After(v.Now) {
				posted = time.Time{}
			}
		default: // ended without a try, or by one whenever that was
		}
	}
	if !waits.IsZero() {
		return Time{waits}
	}
	return Time{posted}
}

// NewList shows one page of messages.
func NewList(p *message.Page) List {
	l := List{Object: "list", HasMore: p.HasMore, Data: []Item{}}
	if p.HasMore {
		l.Next = optional(p.Next.String())
	}
	for i := range p.Views {
		l.Data = append(l.Data, NewItem(&p.Views[i]))
	}
	return l
}

func newRecipient(d *message.Delivery, v *message.View) Recipient {
	return Recipient{
		Address: d.Address, Role: d.Role, Status: d.Shown(v.Now), Reason: d.Reason, Attempts: d.Attempts,
		NextAttemptAt: nextAttempt(d, v), PossiblySent: d.PossiblySent(), RemoteID: d.RemoteID, FinishedAt: Time{d.FinishedAt},
	}
}

func newAttempt(a *message.Attempt, deliveries []message.Delivery) Attempt {
	shown := Attempt{
		StartedAt: Time{a.StartedAt}, FinishedAt: Time{a.FinishedAt}, DurationMS: a.FinishedAt.Sub(a.StartedAt).Milliseconds(),
		WorkerID: a.WorkerID.String(), RelayHost: a.RelayHost, Outcome: a.Outcome, Code: a.Code,
		EnhancedCode: a.Enhanced, Detail: a.Detail,
	}
	for i := range deliveries {
		if deliveries[i].N == a.N {
			shown.Recipient = deliveries[i].Address
		}
	}
	return shown
}

// nextAttempt is when a waiting delivery is tried next; the row keeps the time
// of its last wait also when it is no longer queued.
func nextAttempt(d *message.Delivery, v *message.View) Time {
	if d.Status != message.StatusQueued || !d.NextAttemptAt.After(v.Now) {
		return Time{}
	}
	return Time{d.NextAttemptAt}
}

// lastEvent says the status in the words Resend's SDKs have a closed list of.
// Most are the same. What is just being sent is still queued to them. An
// unknown outcome is neither sent nor failed, and either word would make a
// program act on what nobody knows: it is delayed until somebody decides.
func lastEvent(s message.Status) string {
	switch s {
	case message.StatusSending:
		return string(message.StatusQueued)
	case message.StatusUnknown:
		return string(message.StatusDelayed)
	default:
		return string(s)
	}
}

func addresses(list []message.Address) []string {
	shown := make([]string, len(list))
	for i, a := range list {
		shown[i] = a.String()
	}
	return shown
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
