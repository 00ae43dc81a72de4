package message

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// DefaultTenant owns every message posted with a key that names no tenant.
const DefaultTenant int64 = 1

// Message is what the caller posted. It never changes once accepted; what
// happens to it is told by its deliveries.
type Message struct {
	ID          uuid.UUID // UUIDv7, and what the caller polls
	TenantID    int64
	Kind        Channel
	Lane        Lane
	Head        Head
	Content     Content
	Attachments []Attachment
	OnUnknown   OnUnknown
	ScheduledAt time.Time // zero: at once
	ExpiresAt   time.Time // zero: never
	Trace       string    // W3C traceparent of the request that posted it; may be empty
	CreatedAt   time.Time // database time of acceptance; set by the store
}

// Head holds what lists show and what becomes the header of the mail. Its JSON
// form is what the store keeps.
type Head struct {
	From     Address           `json:"from"`
	To       []Address         `json:"to,omitempty"`
	Cc       []Address         `json:"cc,omitempty"`
	Bcc      []Address         `json:"bcc,omitempty"`
	ReplyTo  []Address         `json:"reply_to,omitempty"`
	Subject  string            `json:"subject,omitempty"`
	Headers  []Header          `json:"headers,omitempty"`
	Tags     []Tag             `json:"tags,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Template *TemplateRef      `json:"template,omitempty"` // what it was made from; nil: it was written out
}

// Content is the body in its two forms; at least one of them is not blank.
type Content struct {
	HTML string `json:"html,omitempty"`
	Text string `json:"text,omitempty"`
}

// Address is a mailbox. Email is validated and has an ASCII (xn--) domain; only
// its local part may hold UTF-8, which then needs SMTPUTF8 (RFC 6531).
type Address struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email"`
}

// Header is one custom header field, in the order the caller gave.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Tag is a label of the caller's, shown and filtered by, never sent.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Attachment is a file that travels with the message. ContentID is set for
// inline images that the HTML refers to by cid:.
type Attachment struct {
	Filename    string
	ContentType string
	ContentID   string
	Disposition string // "attachment" or "inline"
	Size        int64  // bytes, decoded
	SHA256      [32]byte
	Data        []byte // nil where only the description was asked for, and where Blob has them
	Blob        Blob   // where the bytes are kept, if not with the message
}

// HeaderID is the Message-ID of the mail with its brackets, the same for every
// recipient and on every attempt.
func (m *Message) HeaderID() string {
	from := m.Head.From.Email
	return "<" + m.ID.String() + "@" + from[strings.LastIndexByte(from, '@')+1:] + ">"
}

// Recipients lists the addresses of To, Cc and Bcc in that order with their
// roles: recipient n of the message is the n-th of them, counted from 0. An
// address that occurs twice, compared without regard to case, is listed once.
func (m *Message) Recipients() []Recipient {
	var list []Recipient
	seen := map[string]bool{}
	add := func(role Role, addresses []Address) {
		for _, a := range addresses {
			if key := foldAddress(a.Email); !seen[key] {
				seen[key] = true
				list = append(list, Recipient{Role: role, Address: a.Email})
			}
		}
	}
	add(RoleTo, m.Head.To)
	add(RoleCc, m.Head.Cc)
	add(RoleBcc, m.Head.Bcc)
	return list
}

// Recipient is one address the message goes to, and the field it stood in.
type Recipient struct {
	Role    Role
	Address string
}
