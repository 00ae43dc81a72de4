package config

import (
	"strconv"
	"strings"
	"time"
)

const (
	forever       = "forever"
	retentionMin  = 24 * time.Hour // answers to repeated requests name their message as long
	retentionMost = 36500          // days; what is longer is meant otherwise
)

// Retention is how long something is kept. The zero value is for ever.
type Retention time.Duration

// Decode reads forever, a number of days such as 90d, or a duration of at least 24h.
func (r *Retention) Decode(text string) error {
	const remedy = "write forever, or a time of 24h or more, such as 90d"
	text = strings.TrimSpace(text)
	if text == forever {
		*r = 0
		return nil
	}
	kept, err := time.ParseDuration(text)
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		var days uint64
		days, err = strconv.ParseUint(digits, 10, 32)
		kept = time.Duration(min(days, retentionMost+1)) * 24 * time.Hour
	}
	switch {
	case err != nil:
		return bad("is neither forever nor a time", remedy)
	case kept < retentionMin:
		return bad("is shorter than 24h, for which answers to repeated requests name their message", remedy)
	case kept > retentionMost*24*time.Hour:
		return bad("is longer than 36500d", remedy)
	}
	*r = Retention(kept)
	return nil
}

// Keep is the time, or 0 for ever.
func (r Retention) Keep() time.Duration { return time.Duration(r) }

// String is the time as it may be written.
func (r Retention) String() string {
	switch day := 24 * time.Hour; {
	case r == 0:
		return forever
	case r.Keep()%day == 0:
		return strconv.FormatInt(int64(r.Keep()/day), 10) + "d"
	}
	return r.Keep().String()
}
