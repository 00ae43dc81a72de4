package message

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors that every adapter speaks. Find them with errors.Is.
var (
	// ErrUnavailable: the database or the broker cannot be reached now. What
	// was asked may or may not have happened.
	ErrUnavailable = errors.New("unavailable")
	// ErrNotFound: the tenant has nothing of that name.
	ErrNotFound = errors.New("not found")
	// ErrMarkRefused: the claim is no longer the holder's. Break off without
	// the final dot; nothing was sent.
	ErrMarkRefused = errors.New("mark refused")
	// ErrQueueFull: the queue takes no more now; the outbox keeps the row.
	ErrQueueFull = errors.New("queue full")
	// ErrUnroutable: the broker has no queue for it; the outbox keeps the row.
	ErrUnroutable = errors.New("unroutable")
	// ErrNotConfirmed: the broker refused, or never confirmed; the outbox keeps
	// the row.
	ErrNotConfirmed = errors.New("not confirmed")
	// ErrChanged: somebody else changed it since it was read. Nothing was done.
	ErrChanged = errors.New("changed meanwhile")
)

// Code is the stable name of what is wrong with a request.
type Code string

// The codes of a request that cannot be read at all.
const (
	CodeInvalidJSON          Code = "invalid_json"
	CodeDuplicateKey         Code = "duplicate_key"
	CodeTooDeep              Code = "json_too_deep"
	CodeBodyTooLarge         Code = "body_too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
)

// CodeOverloaded is the code of a request that would take more memory than is left; it
// may be repeated shortly.
const CodeOverloaded Code = "overloaded"

// CodeValidation is the code of an Error whose Fields say what is wrong where.
const CodeValidation Code = "validation_error"

// The codes of single fields.
const (
	CodeUnknownField        Code = "unknown_field"
	CodeUnsupportedField    Code = "unsupported_field"
	CodeInvalidField        Code = "invalid_field"
	CodeMissingField        Code = "missing_field"
	CodeMissingRecipient    Code = "missing_recipient"
	CodeTooManyRecipients   Code = "too_many_recipients"
	CodeInvalidAddress      Code = "invalid_address"
	CodeInvalidHeader       Code = "invalid_header"
	CodeReservedHeader      Code = "reserved_header"
	CodeHeaderTooLarge      Code = "header_too_large"
	CodeEmptyBody           Code = "empty_body"
	CodeInvalidAttachment   Code = "invalid_attachment"
	CodeMessageTooLarge     Code = "message_too_large"
	CodeInvalidScheduledAt  Code = "invalid_scheduled_at"
	CodeInvalidExpiresAt    Code = "invalid_expires_at"
	CodeTooLarge            Code = "too_large"
	CodeInvalidIdempotency  Code = "invalid_idempotency_key"
	CodeIdempotencyConflict Code = "invalid_idempotent_request"
	CodeNotCancelable       Code = "not_cancelable"
	CodeNotRetryable        Code = "not_retryable"
	CodeTemplateNotFound    Code = "template_not_found"
	CodeMissingVariable     Code = "missing_variable"
	CodeInvalidVariable     Code = "invalid_variable"
	CodeInvalidTemplate     Code = "invalid_template"
	CodeRenderLimit         Code = "render_limit"
	CodeAliasTaken          Code = "alias_taken"
)

// The codes of a request that its key does not allow.
const (
	CodeInvalidAPIKey    Code = "invalid_api_key"    // not known, revoked or expired
	CodeRestrictedAPIKey Code = "restricted_api_key" // of another scope
	CodeDomainNotAllowed Code = "domain_not_allowed" // of other senders
	CodeRateLimit        Code = "rate_limit_exceeded"
	CodeDailyQuota       Code = "daily_quota_exceeded"
	CodeTenantExists     Code = "tenant_exists"
)

// FieldError is one fault in one place of a request.
type FieldError struct {
	Pointer string `json:"pointer"` // RFC 6901, such as /to/0
	Code    Code   `json:"code"`
	Detail  string `json:"detail"` // says what is wrong and what would be right
}

// Error is a request that is refused, with every fault that was found. It
// changes nothing.
type Error struct {
	Code   Code
	Detail string
	Fields []FieldError
	// RetryAfter is when the same request may succeed, from now on; 0: nobody
	// can say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Detail)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Pointer, f.Detail)
	}
	return b.String()
}

// Fault is what a failed try means for the delivery.
type Fault int

// The faults a sender reports.
const (
	FaultTemporary Fault = iota + 1 // 4xx, or broken before the final dot: try again
	FaultPermanent                  // 5xx to the mail itself, or no mail could be made of it
	FaultUnknown                    // the final dot was written and no reply came
	FaultRelayHost                  // the relay host is at fault, not the mail: nothing is charged
)

// SendError is the only error of a sender besides ErrMarkRefused. It holds no
// secret: Text and Err are cleaned by the sender.
type SendError struct {
	Fault      Fault
	Reason     Reason // with FaultPermanent
	RelayHost  string
	Stage      string // of the SMTP session, such as CONNECT or AUTH; "" where it came to none
	Code       int
	Enhanced   string
	Text       string        // the server's words, or what went wrong in ours
	RetryAfter time.Duration // the server's wish; 0: none
	Err        error
}

// Error implements error.
func (e *SendError) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("relay host %s: %s", e.RelayHost, e.Text)
	}
	return strings.Join(strings.Fields(fmt.Sprintf("relay host %s: %d %s %s", e.RelayHost, e.Code, e.Enhanced, e.Text)), " ")
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }
