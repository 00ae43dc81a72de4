package wire

import (
	"time"

	"github.com/postrider/postrider/internal/message"
)

// File is an attachment of a sent email, in Resend's shape.
type File struct {
	Object             string `json:"object,omitempty"` // "attachment"; absent in a list
	ID                 string `json:"id"`
	Filename           string `json:"filename"`
	Size               int64  `json:"size"` // bytes, decoded
	ContentType        string `json:"content_type"`
	ContentDisposition string `json:"content_disposition"` // "attachment" or "inline"
	ContentID          string `json:"content_id,omitempty"`
	DownloadURL        string `json:"download_url"` // needs no key, until ExpiresAt
	ExpiresAt          Time   `json:"expires_at"`
}

// FileList is a page of a sent email's attachments, in the email's own order.
type FileList struct {
	Object  string `json:"object"` // always "list"
	HasMore bool   `json:"has_more"`
	Data    []File `json:"data"`
}

// NewFile shows an attachment that can be had at the URL until it expires.
func NewFile(f message.File, url string, expires time.Time) File {
	return File{
		Object: "attachment", ID: f.ID.String(), Filename: f.Filename, Size: f.Size, ContentType: f.ContentType,
		ContentDisposition: f.Disposition, ContentID: f.ContentID, DownloadURL: url, ExpiresAt: Time{expires},
	}
}
