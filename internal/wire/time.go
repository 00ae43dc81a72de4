package wire

import (
	"fmt"
	"time"
)

// Time is written as RFC 3339 in UTC with milliseconds, which is what the
// store keeps, and as null when it is zero.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Time{}
		return nil
	}
	parsed, err := time.Parse(`"`+time.RFC3339+`"`, string(data))
	if err != nil {
		return fmt.Errorf("read a time: %w", err)
	}
	t.Time = parsed
	return nil
}
