package httpapi

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Accepter takes a message in that the grant covers. When it returns nil the
// message is committed.
// The error is a *message.Error, or wraps message.ErrUnavailable. Safe for
// concurrent use.
type Accepter interface {
	Accept(ctx context.Context, by *message.Grant, draft *message.Draft, key string, hash [32]byte) (message.Acceptance, error)
}

// Checker shows to look what Accept would make of a draft, and takes nothing in. The
// error is Accept's, except that no daily quota is asked for, or look's. The message may
// be large: look keeps nothing of it. Safe for concurrent use.
type Checker interface {
	Check(ctx context.Context, by *message.Grant, draft *message.Draft, look func(*message.Message) error) error
}

// Contents reads messages with all that is sent: their content and the bytes of
// their attachments. Errors as for Emails.
type Contents interface {
	Message(ctx context.Context, tenant int64, id uuid.UUID) (*message.Message, error)
}

// BatchAccepter takes the emails of a batch in, as it is told all or those that
// are right. When it returns nil they are committed. Errors as for Accepter; the
// pointers of a *message.Error begin with the index. Safe for concurrent use.
type BatchAccepter interface {
	AcceptBatch(ctx context.Context, by *message.Grant, batch *message.BatchDraft) (message.BatchAnswer, error)
}

// Files reads the attachments of stored messages: the list in the message's own
// order. Errors as for Emails. Safe for concurrent use.
type Files interface {
	Files(ctx context.Context, tenant int64, id uuid.UUID) ([]message.File, error)
}

// FileBytes reads the n-th attachment of a message, from 0, without all of it in
// memory. Reading ends in an error unless the bytes are those that were accepted.
// The caller closes the reader; ctx bounds the reading too. Errors as for Emails.
type FileBytes interface {
	OpenAttachment(ctx context.Context, tenant int64, id uuid.UUID, n int) (message.Attachment, io.ReadCloser, error)
}

// Secrets are 32 random bytes under a name, the same for every process of an
// installation and for ever. An error wraps message.ErrUnavailable. Safe for
// concurrent use.
type Secrets interface {
	Secret(ctx context.Context, name string) ([32]byte, error)
}

// Emails reads messages and steers their deliveries, within one tenant. Errors
// wrap message.ErrNotFound where the tenant has no such message, and
// message.ErrUnavailable. Safe for concurrent use.
//
// Cancel and Retry act on the recipients that can still be stopped, or have
// ended otherwise than sent, and return how many those were; 0 is no error.
type Emails interface {
	Email(ctx context.Context, tenant int64, id uuid.UUID) (message.View, error)
	Emails(ctx context.Context, filter message.Filter) (message.Page, error)
	Cancel(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
	Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error)
}

// Rescheduler moves a message's queued recipients to another time, zero for at
// once, and returns how many there were; 0 is no error. Errors as for Emails.
type Rescheduler interface {
	Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error)
}

// Templates reads, tries and removes a tenant's templates; name is an id or an
// alias. Errors wrap message.ErrNotFound and message.ErrUnavailable; those of Try
// are also a *message.Error with pointers into the trial. Safe for concurrent use.
type Templates interface {
	Template(ctx context.Context, tenant int64, name string) (message.Template, error)
	Templates(ctx context.Context, filter message.TemplateFilter) (message.TemplatePage, error)
	Try(ctx context.Context, tenant int64, name string, trial message.TemplateTrial) (message.Rendered, error)
	Remove(ctx context.Context, tenant int64, name string) (uuid.UUID, error)
}

// TemplateEditor makes and changes templates, and returns the id of the one that
// it made or changed. Errors are those of Templates, or a *message.Error with
// pointers into the edit.
type TemplateEditor interface {
	Create(ctx context.Context, tenant int64, edit *message.TemplateEdit) (uuid.UUID, error)
	Update(ctx context.Context, tenant int64, name string, edit *message.TemplateEdit) (uuid.UUID, error)
	Publish(ctx context.Context, tenant int64, name string) (uuid.UUID, error)
	Duplicate(ctx context.Context, tenant int64, name string) (uuid.UUID, error)
}

// Health knows the state of everything the program stands on. Check returns
// when ctx ends at the latest. Its words are shown to anybody who can reach the
// port, so they name no secret.
type Health interface {
	Check(ctx context.Context) []Check
}

// CheckStatus is how well one part works.
type CheckStatus string

// Degraded parts leave the program able to accept messages; one that is down
// does not.
const (
	CheckOK       CheckStatus = "ok"
	CheckDegraded CheckStatus = "degraded"
	CheckDown     CheckStatus = "down"
)

// Check is the state of one part, and what to do about it. Cause is the word
// that metrics and the log have for what is wrong.
type Check struct {
	Name   string      `json:"name"`
	Status CheckStatus `json:"status"`
	Cause  string      `json:"cause,omitempty"`
	Since  *time.Time  `json:"since,omitempty"`
	Detail string      `json:"detail,omitempty"`
	Remedy string      `json:"remedy,omitempty"`
}
