package client

import (
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// Draft is the JSON that Send posts. Nothing of it is checked here: the server
// has the one validator.
type Draft struct {
	From        string            `json:"from,omitempty"`
	To          []string          `json:"to,omitempty"`
	Cc          []string          `json:"cc,omitempty"`
	Bcc         []string          `json:"bcc,omitempty"`
	ReplyTo     []string          `json:"reply_to,omitempty"`
	Subject     string            `json:"subject,omitempty"`
	Text        string            `json:"text,omitempty"`
	HTML        string            `json:"html,omitempty"`
	Headers     wire.Headers      `json:"headers,omitempty"`
	Attachments []DraftAttachment `json:"attachments,omitempty"`
	Tags        []message.Tag     `json:"tags,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	ScheduledAt string            `json:"scheduled_at,omitempty"`
	ExpiresAt   string            `json:"expires_at,omitempty"`
	Lane        string            `json:"lane,omitempty"`
	OnUnknown   string            `json:"on_unknown,omitempty"`
}

// DraftAttachment is a file; its content becomes base64.
type DraftAttachment struct {
	Filename  string `json:"filename"`
	ContentID string `json:"content_id,omitempty"` // set: inline
	Content   []byte `json:"content"`
}
