package wire

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// ReadEmail is DecodeEmail, and where that finds faults it validates what could
// be read as well, so that one *message.Error with CodeValidation names the
// faults of both. A draft that comes without an error still has to pass
// message.Limits.Validate.
func ReadEmail(r io.Reader, limits message.Limits, now time.Time) (*message.Draft, [32]byte, error) {
	draft, hash, err := DecodeEmail(r, limits)
	if err == nil || draft == nil {
		return draft, hash, err
	}
	return nil, hash, merge(err, limits.Precheck(draft, now))
}

// merge joins the faults of decoding and of validation. A field that could not
// be decoded is missing from the draft; what validation says of that place, or
// of a body that is empty for that reason, is left out.
func merge(decoding, validation error) error {
	var first, second *message.Error
	if !errors.As(decoding, &first) {
		return decoding
	}
	var faults message.Faults
	for _, f := range first.Fields {
		faults.Add(f.Pointer, f.Code, f.Detail)
	}
	if errors.As(validation, &second) {
		bodyless := faults.At("/html") || faults.At("/text")
		for _, f := range second.Fields {
			if !faults.At(f.Pointer) && !(bodyless && f.Code == message.CodeEmptyBody) {
				faults.Add(f.Pointer, f.Code, f.Detail)
			}
		}
	}
	return faults.Err()
}

// DecodeEmail reads the body of POST /v1/emails as strictly as JSON can be
// read, and returns the draft with the hash that tells a repeated request from
// another one (see Hash).
//
// A body that is not JSON, or not an object, is a *message.Error with
// CodeInvalidJSON, CodeDuplicateKey or CodeTooDeep. Wrong types, unknown names
// and the like are a *message.Error with CodeValidation that names all of
// them, and the draft comes with it so that Validate can add its own: ReadEmail
// does both. A body longer than BodyLimit is CodeBodyTooLarge. Any other error
// is the reader's, wrapped.
//
// An optional field that is null is absent. to, cc, bcc and reply_to may be one
// string instead of a list. While it works, DecodeEmail holds the body and what
// it decodes to, for the largest body some 98 MB.
func DecodeEmail(r io.Reader, limits message.Limits) (*message.Draft, [32]byte, error) {
	in, err := newReader(r, BodyLimit(limits))
	if err != nil {
		return nil, [32]byte{}, err
	}
	e := &emailReader{reader: in, draft: &message.Draft{}}
	if err := in.document(e.member); err != nil {
		if errors.Is(err, errStop) {
			err = in.faults.Err()
		}
		return nil, [32]byte{}, err
	}
	if err := in.faults.Err(); err != nil {
		return e.draft, [32]byte{}, err
	}
	return e.draft, Hash(e.draft), nil
}

// BodyLimit is the longest body a message within limits can need, in bytes: its
// content in base64 and room for the rest. 58 MB for 40 MB.
func BodyLimit(limits message.Limits) int64 { return int64(limits.MessageBytes) * 29 / 20 }

// maxReschedule is the longest body of a request that names a time.
const maxReschedule = 4 << 10

// DecodeReschedule reads the body of PATCH /v1/emails/{id} and returns the new
// time; zero means at once. The name id is taken and ignored, because one of
// Resend's SDKs sends it beside the path.
func DecodeReschedule(r io.Reader, limits message.Limits, now time.Time) (time.Time, error) {
	in, err := newReader(r, maxReschedule)
	if err != nil {
		return time.Time{}, err
	}
	var at string
	given := false
	err = in.document(func(name string) (err error) {
		switch name {
		case "scheduled_at":
			at, given, err = in.text()
		case "id":
			_, _, err = in.text()
		default:
			err = in.unknown(name, []string{"scheduled_at"})
		}
		return err
	})
	if err != nil && !errors.Is(err, errStop) {
		return time.Time{}, err
	}
	if !given && !in.faults.At("/scheduled_at") {
		in.faults.Add("/scheduled_at", message.CodeMissingField, "give the new time")
	}
	if err := in.faults.Err(); err != nil {
		return time.Time{}, err
	}
	return limits.Schedule(at, now)
}

// unknown refuses a name that is not a field, with the field that may be meant.
func (r *reader) unknown(name string, fields []string) error {
	detail := "is not a known field"
	for _, field := range fields {
		if squash(name) == squash(field) {
			detail += "; did you mean " + field + "?"
		}
	}
	return r.refuse(message.CodeUnknownField, detail)
}

// squash makes replyTo, Reply-To and reply_to alike.
func squash(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}
