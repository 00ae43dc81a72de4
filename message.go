package postrider

import "time"

// Status is how a recipient stands, or a message: the most active of its recipients'.
type Status string

// The states. Sent means that the relay host answered 250 to the mail.
const (
	Queued          Status = "queued"
	Scheduled       Status = "scheduled"
	Sending         Status = "sending"
	DeliveryDelayed Status = "delivery_delayed" // refused for now; will be tried again
	Sent            Status = "sent"
	Failed          Status = "failed"
	Unknown         Status = "unknown" // nobody can know whether it was taken; decide with Retry
	Canceled        Status = "canceled"
	Suppressed      Status = "suppressed"
)

// Message is an email with all that happened to it. Times are zero where nothing is
// to be said.
type Message struct {
	ID            string            `json:"id"`
	From          string            `json:"from"`
	To            []string          `json:"to"`
	Cc            []string          `json:"cc"`
	Bcc           []string          `json:"bcc"`
	ReplyTo       []string          `json:"reply_to"`
	Subject       string            `json:"subject"`
	HTML          string            `json:"html"`
	Text          string            `json:"text"`
	Headers       map[string]string `json:"headers"`
	Tags          []Tag             `json:"tags"`
	Metadata      map[string]string `json:"metadata"`
	Lane          Lane              `json:"lane"`
	OnUnknown     OnUnknown         `json:"on_unknown"`
	CreatedAt     time.Time         `json:"created_at"`
	ScheduledAt   time.Time         `json:"scheduled_at"`
	ExpiresAt     time.Time         `json:"expires_at"`
	Status        Status            `json:"status"`
	Counts        map[Status]int    `json:"counts"` // of recipients
	Recipients    []Recipient       `json:"recipients"`
	Attempts      []Attempt         `json:"attempts"` // oldest first, across all recipients
	NextAttemptAt time.Time         `json:"next_attempt_at"`
	PossiblySent  bool              `json:"possibly_sent"` // of a recipient that does not say sent
}

// Recipient is what became of one address.
type Recipient struct {
	Address       string    `json:"address"`
	Role          string    `json:"role"` // to, cc or bcc
	Status        Status    `json:"status"`
	Reason        string    `json:"reason"`   // with the status failed, such as rejected or invalid
	Attempts      int       `json:"attempts"` // charged by the retry schedule
	NextAttemptAt time.Time `json:"next_attempt_at"`
	PossiblySent  bool      `json:"possibly_sent"`
	RemoteID      string    `json:"remote_id"` // the relay host's name for the mail
	FinishedAt    time.Time `json:"finished_at"`
}

// Attempt is one try for one recipient.
type Attempt struct {
	Recipient    string    `json:"recipient"`
	StartedAt    time.Time `json:"started_at"`
	FinishedAt   time.Time `json:"finished_at"`
	RelayHost    string    `json:"relay_host"`
	Outcome      string    `json:"outcome"`
	Code         int       `json:"code"` // of SMTP; 0: no reply came
	EnhancedCode string    `json:"enhanced_code"`
	Detail       string    `json:"detail"` // the relay host's words, or what went wrong
}

// Page is one page of a list. Its messages have no content, recipients nor attempts.
// One with a filter may have fewer than were asked for, or none, and still not be the
// last.
type Page struct {
	HasMore  bool      `json:"has_more"`
	Next     string    `json:"next"` // what Query.After, or Before, must be for the next page; "": there is none
	Messages []Message `json:"data"`
}
