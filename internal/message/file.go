package message

import "github.com/google/uuid"

// File is an attachment of a stored message, without its bytes.
type File struct {
	ID          uuid.UUID // of its blob
	TenantID    int64
	MessageID   uuid.UUID
	N           int // its place among the message's, from 0
	Filename    string
	ContentType string
	ContentID   string // set for inline images
	Disposition string // "attachment" or "inline"
	Size        int64  // bytes, decoded
}
