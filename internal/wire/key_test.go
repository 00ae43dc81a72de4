package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// FuzzDecodeKey: whatever is asked of a key is read and valid, or refused with a
// *message.Error; and what is valid is within its bounds.
func FuzzDecodeKey(f *testing.F) {
	for _, seed := range []string{
		`{"name":"shop","permission":"sending_access","domain_id":"example.com"}`,
		`{"name":"shop","scope":"sending","domains":["*.example.com","bücher.example"],"rate":7,"daily_quota":1000,"expires_at":"2100-01-01T00:00:00Z","tenant":"a"}`,
		`{"name":null,"rate":1e3,"domains":[null,7,{}]}`, `{"name":"a","rate":-0,"daily_quota":18446744073709551617}`, `{"scope":{}}`, `[]`, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		draft, err := wire.DecodeKey(strings.NewReader(body))
		var limits message.KeyLimits
		var name string
		if err == nil {
			name, limits, err = draft.Validate(time.Unix(2e9, 0))
		}
		var refused *message.Error
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Errorf("%v", err)
		case err != nil:
		case name == "" || limits.Scope == "" || limits.Rate < 0 || limits.Rate > message.MaxKeyRate || limits.DailyQuota > message.MaxDailyQuota:
			t.Errorf("%q %+v", name, limits)
		}
		for _, domain := range limits.Domains {
			if err == nil && (domain == "" || strings.ContainsAny(domain, " \n\t") || strings.ToLower(domain) != domain) {
				t.Errorf("domain %q", domain) // they are kept with blanks between
			}
		}
	})
}
