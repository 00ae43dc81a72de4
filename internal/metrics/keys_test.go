package metrics_test

import (
	"context"
	"testing"

	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/metrics"
)

// gate answers one request after the other with the errors given.
type gate struct{ errs []error }

func (g *gate) next() error {
	err := g.errs[0]
	g.errs = g.errs[1:]
	return err
}

func (g *gate) Enter(context.Context, string, message.Right) (keys.Entry, error) {
	return keys.Entry{}, g.next()
}

func (g *gate) Admit(_ context.Context, _ *message.Grant, messages []*message.Message) []message.Admission {
	admissions := make([]message.Admission, len(messages))
	for i := range admissions {
		admissions[i].Err = g.next()
	}
	return admissions
}

func (g *gate) GiveBack(context.Context, *message.Grant, []message.Admission) {}

func TestKeysCountsWhatIsRefused(t *testing.T) {
	m := metrics.New("test", nil)
	code := func(c message.Code) error { return &message.Error{Code: c} }
	k := m.Keys(&gate{errs: []error{
		nil, code(message.CodeInvalidAPIKey), code(message.CodeInvalidAPIKey), code(message.CodeRestrictedAPIKey), code(message.CodeRateLimit),
		message.ErrUnavailable, errBroken, nil, code(message.CodeDomainNotAllowed), code(message.CodeDailyQuota),
	}})
	for range 7 {
		_, _ = k.Enter(t.Context(), "", message.RightSend)
	}
	k.Admit(t.Context(), nil, make([]*message.Message, 3))
	shows(t, m,
		`key_refusals_total{reason="invalid_api_key"} 2`, `key_refusals_total{reason="restricted_api_key"} 1`,
		`key_refusals_total{reason="rate_limit_exceeded"} 1`, `key_refusals_total{reason="daily_quota_exceeded"} 1`,
		`key_refusals_total{reason="domain_not_allowed"} 1`, `key_refusals_total{reason="unavailable"} 1`, `key_refusals_total{reason="other"} 1`)
}
