package postrider

import "time"

// Email is what to send. From, To and one of Text and HTML are required. Addresses
// are written as a@example.com or Ann <a@example.com>. All text is UTF-8. The limits
// are those of the API: 50 recipients, 100 attachments, 40 MB decoded, of which Text
// and HTML 25 MB; Enqueue takes 36 MB of JSON.
type Email struct {
	From    string   `json:"from,omitempty"`
	To      []string `json:"to,omitempty"`
	Cc      []string `json:"cc,omitempty"`
	Bcc     []string `json:"bcc,omitempty"` // not seen by the others
	ReplyTo []string `json:"reply_to,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Text    string   `json:"text,omitempty"`
	HTML    string   `json:"html,omitempty"`

	Headers     map[string]string `json:"headers,omitempty"` // header fields of your own
	Attachments []Attachment      `json:"attachments,omitempty"`
	Tags        []Tag             `json:"tags,omitempty"`     // labels that lists show; not sent
	Metadata    map[string]string `json:"metadata,omitempty"` // remembered with the message; not sent

	ScheduledAt time.Time `json:"scheduled_at,omitzero"` // not before; zero: at once
	ExpiresAt   time.Time `json:"expires_at,omitzero"`   // not after; zero: tried as long as the retry window is
	Lane        Lane      `json:"lane,omitempty"`        // urgency; "": LaneNormal
	OnUnknown   OnUnknown `json:"on_unknown,omitempty"`  // "": Resend

	// IdempotencyKey makes it safe to ask again: for 24 h the same key with the same
	// email leads to the first message, and with another email is refused. 1 to 256
	// printable ASCII characters; "": none for Enqueue, a random one for Client.Send.
	IdempotencyKey string `json:"-"`
}

// Attachment is a file that travels with an email.
type Attachment struct {
	Filename    string `json:"filename"`
	Content     []byte `json:"content"`                // base64 on the way
	ContentType string `json:"content_type,omitempty"` // "": by the filename
	ContentID   string `json:"content_id,omitempty"`   // set: a picture that the HTML shows by cid:
}

// Tag is a label of an email. Name and value are letters, digits, _ and -.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Lane is the urgency of an email. Lanes do not wait for each other.
type Lane string

// The lanes, most urgent first.
const (
	LaneCritical Lane = "critical"
	LaneHigh     Lane = "high"
	LaneNormal   Lane = "normal"
	LaneLow      Lane = "low"
)

// OnUnknown is what follows when nobody can know whether the relay host took the mail.
type OnUnknown string

// Resend risks a second copy rather than none; Hold keeps the mail in the status
// unknown until you decide.
const (
	Resend OnUnknown = "resend"
	Hold   OnUnknown = "hold"
)
