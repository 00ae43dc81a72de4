package message

import (
	"fmt"
	"time"
)

// Schedule parses the time a message is to be sent at: RFC 3339 with a zone, at
// most Limits.ScheduleAhead after now. A time that is not after now means at
// once and is returned as zero. The error is an *Error of CodeValidation.
func (l Limits) Schedule(s string, now time.Time) (time.Time, error) {
	v := &validator{limits: l, now: now}
	t := v.scheduledAt(s)
	return t, v.faults.Err()
}

func (v *validator) times(scheduled, expires string) (at, until time.Time) {
	if scheduled != "" {
		at = v.scheduledAt(scheduled)
	}
	if expires != "" {
		until = v.expiresAt(expires, at)
	}
	return at, until
}

func (v *validator) scheduledAt(s string) time.Time {
	const pointer = "/scheduled_at"
	t, ok := ParseTime(s)
	switch {
	case !ok:
		v.fault(pointer, CodeInvalidScheduledAt, timeForm)
		return time.Time{}
	case !t.After(v.now):
		return time.Time{}
	case t.Sub(v.now) > v.limits.ScheduleAhead:
		v.fault(pointer, CodeInvalidScheduledAt, fmt.Sprintf("must be at most %s ahead", days(v.limits.ScheduleAhead)))
	}
	return t
}

// expiresAt may lie as far behind the time of sending as that may lie ahead.
func (v *validator) expiresAt(s string, scheduled time.Time) time.Time {
	const pointer = "/expires_at"
	from := v.now
	if scheduled.After(from) {
		from = scheduled
	}
	t, ok := ParseTime(s)
	switch {
	case !ok:
		v.fault(pointer, CodeInvalidExpiresAt, timeForm)
	case !t.After(v.now):
		v.fault(pointer, CodeInvalidExpiresAt, "must be in the future")
	case !t.After(from):
		v.fault(pointer, CodeInvalidExpiresAt, "must be after scheduled_at")
	case t.Sub(from) > v.limits.ScheduleAhead:
		v.fault(pointer, CodeInvalidExpiresAt, fmt.Sprintf("must be at most %s after the time of sending", days(v.limits.ScheduleAhead)))
	}
	return t
}

const timeForm = "must be an RFC 3339 time with a zone, such as 2030-01-31T09:30:00Z; words such as \"in 1 hour\" are not understood"

// ParseTime reads RFC 3339 with a zone, to the millisecond. Package time also takes what the RFC does not have,
// one digit for the hour and a comma before the fraction, hence the look at the
// shape before.
func ParseTime(s string) (time.Time, bool) {
	const shape = "0000-00-00T00:00:00"
	if len(s) <= len(shape) || len(s) > 64 {
		return time.Time{}, false
	}
	for i := range len(shape) {
		if digit := s[i] >= '0' && s[i] <= '9'; digit != (shape[i] == '0') || !digit && s[i] != shape[i] {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || s[len(shape)] == ',' {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Millisecond), true
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", d/(24*time.Hour)) }
