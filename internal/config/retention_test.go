package config

import (
	"testing"
	"time"
)

func TestRetentionIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]struct {
		keep  time.Duration
		shown string
	}{
		"forever": {0, "forever"},
		"1d":      {24 * time.Hour, "1d"},
		" 90d ":   {90 * 24 * time.Hour, "90d"},
		"36500d":  {36500 * 24 * time.Hour, "36500d"},
		"36h":     {36 * time.Hour, "36h0m0s"},
		"48h":     {48 * time.Hour, "2d"},
	} {
		r := Retention(1)
		if err := r.Decode(text); err != nil || r.Keep() != want.keep || r.String() != want.shown {
			t.Errorf("%q is %v, %s, %v", text, r.Keep(), r, err)
		}
	}
}
