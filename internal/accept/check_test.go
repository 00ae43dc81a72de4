package accept_test

import (
	"context"
	"errors"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// TestACheckRefusesAsAcceptDoesAndStoresNothing holds a trial to the key that asks
// for it. A quota is not asked for: nothing is sent.
func TestACheckRefusesAsAcceptDoesAndStoresNothing(t *testing.T) {
	s := start(t, func(context.Context, []message.Submission) []message.Acceptance {
		t.Error("something was stored")
		return nil
	}, &wakes{})
	bad := draft()
	bad.To = nil
	for name, row := range map[string]struct {
		limits message.KeyLimits
		draft  *message.Draft
		want   message.Code
	}{
		"good":          {message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 1}, draft(), ""},
		"not valid":     {message.KeyLimits{Scope: message.ScopeSending}, bad, message.CodeValidation},
		"other sender":  {message.KeyLimits{Scope: message.ScopeSending, Domains: []string{"shop.example"}}, draft(), message.CodeDomainNotAllowed},
		"may only read": {message.KeyLimits{Scope: message.ScopeRead}, draft(), message.CodeRestrictedAPIKey},
	} {
		var m *message.Message
		err := s.Check(t.Context(), &message.Grant{TenantID: 7, KeyLimits: row.limits}, row.draft, func(made *message.Message) error {
			m = made
			return nil
		})
		var e *message.Error
		switch {
		case row.want == "" && (err != nil || m.TenantID != 7 || m.CreatedAt.IsZero()):
			t.Errorf("%s: %+v, %v", name, m, err)
		case row.want != "" && (m != nil || !errors.As(err, &e) || e.Code != row.want):
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}
