package wire

import (
	"io"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// ReadEmail reads the body of POST /v1/emails, decodes and validates it: one
// *message.Error names the faults of both.
func ReadEmail(r io.Reader, limits message.Limits, now time.Time) (*message.Message, [32]byte, error) {
	draft, hash, err := DecodeEmail(r, limits)
	if err != nil {
		return nil, hash, err
	}
	m, err := limits.Validate(draft, now)
	return m, hash, err
}

// DecodeEmail reads the body of POST /v1/emails.
func DecodeEmail(r io.Reader, limits message.Limits) (*message.Draft, [32]byte, error) {
	return nil, [32]byte{}, io.ErrUnexpectedEOF
}

// DecodeReschedule reads the body of PATCH /v1/emails/{id} and returns the new
// time; zero means at once.
func DecodeReschedule(r io.Reader, limits message.Limits, now time.Time) (time.Time, error) {
	return time.Time{}, io.ErrUnexpectedEOF
}
