package message

import "time"

// Draft is what a caller asks for, as it was written: HTTP, the command line
// and batches all fill one and pass it to Limits.Validate.
type Draft struct {
	From        string
	To          []string
	Cc          []string
	Bcc         []string
	ReplyTo     []string
	Subject     string
	HTML        string
	Text        string
	Headers     []Header
	Attachments []DraftAttachment
	Tags        []Tag
	Metadata    map[string]string
	ScheduledAt string // RFC 3339 with a zone; "": at once
	ExpiresAt   string // RFC 3339 with a zone; "": never
	Lane        string // "": normal
	OnUnknown   string // "": resend
	// Template, if not nil, is to be rendered into the fields above: what they
	// say of sender, answers and subject goes before what the template says.
	Template *TemplateUse
}

// DraftAttachment is a file as the caller gave it, decoded.
type DraftAttachment struct {
	Filename    string
	ContentType string // "": by the filename
	ContentID   string // set: inline
	Data        []byte
	Path        string // a URL to fetch Data from; "": Data was given
}

// Limits bound what a message may hold.
type Limits struct {
	MessageBytes   int // decoded: text, HTML, attachments and headers together
	BodyBytes      int // of these, text and HTML, which a worker holds while it sends
	Recipients     int
	Attachments    int
	Headers        int
	HeaderBytes    int // name and value of one header; the subject too
	Tags           int
	MetadataBytes  int
	ScheduleAhead  time.Duration // how far scheduled_at may lie ahead
	FilenameLength int
	BatchMessages  int // in one request
	BatchBytes     int // as MessageBytes, of all its messages together
	BatchFiles     int // attachments of all its messages together
}

// DefaultLimits returns the limits the API documents.
func DefaultLimits() Limits {
	return Limits{
		MessageBytes: 40 << 20, BodyBytes: 25 << 20, Recipients: 50, Attachments: 100, Headers: 100, HeaderBytes: 2 << 10,
		Tags: 20, MetadataBytes: 8 << 10, ScheduleAhead: 366 * 24 * time.Hour, FilenameLength: 255,
		BatchMessages: 500, BatchBytes: 50 << 20, BatchFiles: 1000,
	}
}
