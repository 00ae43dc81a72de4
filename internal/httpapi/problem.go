package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// The codes of requests that no message is at fault for.
const (
	codeMissingAPIKey    message.Code = "missing_api_key"
	codeNotFound         message.Code = "not_found"
	codeMethodNotAllowed message.Code = "method_not_allowed"
	codeRequestTimeout   message.Code = "request_timeout"
	codeOverloaded                    = message.CodeOverloaded
	codeUnavailable      message.Code = "unavailable"
	codeInternal         message.Code = "internal_error"
	codeNotImplemented   message.Code = "not_implemented"
)

// problemDocs is where each code is explained, under its name.
const problemDocs = "https://github.com/postrider/postrider/blob/main/docs/http-api.md#"

func fault(code message.Code, detail string) *message.Error {
	return &message.Error{Code: code, Detail: detail}
}

// kind is what the caller learns of a code besides its detail. Name is from the
// list of Resend's errors, which its SDKs show; several codes share one.
type kind struct {
	status int
	name   string
	title  string
}

// kinds is the one table from errors to answers. A code that is missing here
// stands for single fields and is answered like message.CodeValidation.
func kinds() map[message.Code]kind {
	return map[message.Code]kind{
		message.CodeInvalidJSON:          {400, "validation_error", "The body is not the JSON that belongs here"},
		message.CodeDuplicateKey:         {400, "validation_error", "The body holds a key twice"},
		message.CodeTooDeep:              {400, "validation_error", "The body is nested too deeply"},
		message.CodeInvalidIdempotency:   {400, "invalid_idempotency_key", "The idempotency key is not usable"},
		codeMissingAPIKey:                {401, "missing_api_key", "The API key is missing"},
		message.CodeRestrictedAPIKey:     {401, "restricted_api_key", "The API key is for something else"},
		message.CodeInvalidAPIKey:        {403, "invalid_api_key", "The API key is not valid"},
		message.CodeDomainNotAllowed:     {403, "validation_error", "The API key is for other senders"},
		codeNotFound:                     {404, "not_found", "Not found"},
		codeMethodNotAllowed:             {405, "method_not_allowed", "This method is not allowed here"},
		codeRequestTimeout:               {408, "validation_error", "The request took too long to arrive"},
		message.CodeIdempotencyConflict:  {409, "invalid_idempotent_request", "The idempotency key belongs to another request"},
		message.CodeNotCancelable:        {409, "validation_error", "No recipient can be stopped any more"},
		message.CodeNotRetryable:         {409, "validation_error", "No recipient is there to be tried again"},
		message.CodeTenantExists:         {409, "validation_error", "There is a tenant of this name"},
		message.CodeBodyTooLarge:         {413, "validation_error", "The body is too large"},
		message.CodeUnsupportedMediaType: {415, "validation_error", "The body is not in a supported form"},
		message.CodeValidation:           {422, "validation_error", "Some fields are not right"},
		message.CodeRateLimit:            {429, "rate_limit_exceeded", "The API key makes too many requests"},
		message.CodeDailyQuota:           {429, "daily_quota_exceeded", "The API key's daily quota is used up"},
		codeInternal:                     {500, "internal_server_error", "Something went wrong in Postrider"},
		codeNotImplemented:               {501, "not_implemented", "Postrider does not offer this call"},
		codeOverloaded:                   {503, "application_error", "Too many requests are being read at once"},
		codeUnavailable:                  {503, "application_error", "Postrider cannot take this request now"},
	}
}

// refusal turns any error into what the caller may see of it. What is not known
// is internal, and its text stays inside.
func refusal(err error) *message.Error {
	var refused *message.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &tooLarge):
		return bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, message.ErrNotFound):
		return fault(codeNotFound, "there is no such email")
	case errors.Is(err, message.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault(codeUnavailable, "the database cannot be reached now; repeat the request, with the same Idempotency-Key if it was a POST")
	default:
		return fault(codeInternal, "the request failed through no fault of yours; its request_id finds the reason in the log")
	}
}

func kindOf(code message.Code) kind {
	table := kinds()
	if k, ok := table[code]; ok {
		return k
	}
	return table[message.CodeValidation]
}

// nameOf is more exact than the kind's name where every fault is of one sort that
// Resend has a name for.
func nameOf(e *message.Error, k kind) string {
	name := k.name
	for i, f := range e.Fields {
		sort := sortOf(f)
		if sort == "" || i > 0 && sort != name {
			return k.name
		}
		name = sort
	}
	return name
}

func sortOf(f message.FieldError) string {
	switch f.Code {
	case message.CodeMissingField, message.CodeMissingRecipient, message.CodeEmptyBody:
		return "missing_required_field"
	case message.CodeInvalidAttachment:
		return "invalid_attachment"
	case message.CodeInvalidAddress:
		if strings.HasSuffix(f.Pointer, "/from") { // in a batch an index is before it
			return "invalid_from_address"
		}
	case message.CodeInvalidField:
		if f.Pointer == "/permission" { // only keys have it
			return "invalid_access"
		}
	}
	return ""
}

// problem is the body of every refusal: RFC 9457 with the members that Resend's
// SDKs read (name, message, statusCode) beside it.
type problem struct {
	Type       string               `json:"type"`
	Title      string               `json:"title"`
	Status     int                  `json:"status"`
	Detail     string               `json:"detail"`
	Code       message.Code         `json:"code"`
	RequestID  string               `json:"request_id"`
	Errors     []message.FieldError `json:"errors,omitempty"`
	Name       string               `json:"name"`
	Message    string               `json:"message"`
	StatusCode int                  `json:"statusCode"`
}

func newProblem(e *message.Error, requestID string) problem {
	k := kindOf(e.Code)
	return problem{
		Type: problemDocs + string(e.Code), Title: k.title, Status: k.status, Detail: e.Detail, Code: e.Code,
		RequestID: requestID, Errors: e.Fields, Name: nameOf(e, k), Message: sentence(e), StatusCode: k.status,
	}
}

// sentence is all there is to know for clients that show one string.
func sentence(e *message.Error) string {
	parts := []string{e.Detail}
	for _, f := range e.Fields {
		said := f.Detail
		if f.Pointer != "" { // else it is the body as a whole
			said = f.Pointer + ": " + said
		}
		parts = append(parts, said)
	}
	if len(e.Fields) == 1 && e.Fields[0].Detail == e.Detail { // of text that cannot be read
		parts = parts[1:]
	}
	return strings.Join(parts, "; ")
}

// refuse answers with err.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	t := trailOf(r.Context())
	refused := refusal(err)
	p := newProblem(refused, t.id)
	t.code = p.Code
	h := w.Header()
	if refused.RetryAfter > 0 {
		h.Set("Retry-After", seconds(refused.RetryAfter))
	}
	switch p.Code {
	case codeMissingAPIKey:
		h.Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case codeUnavailable:
		h.Set("Retry-After", "5")
	case codeOverloaded:
		h.Set("Retry-After", "1")
	case codeRequestTimeout, message.CodeBodyTooLarge: // the rest of the body is not waited for
		h.Set("Connection", "close")
	}
	h.Set("Content-Type", "application/json")
	if wantsProblem(r) {
		h.Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the peer may be gone; there is nobody to tell
}

// wantsProblem reports whether the caller names RFC 9457's media type. Without
// that it is application/json: some SDKs read the message of nothing else.
func wantsProblem(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			if t, _, err := mime.ParseMediaType(part); err == nil && t == "application/problem+json" {
				return true
			}
		}
	}
	return false
}
