package metrics

import (
	"context"
	"errors"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
)

// Keyring is what holds requests and messages to their keys.
type Keyring interface {
	Enter(ctx context.Context, token string, need message.Right) (keys.Entry, error)
	accept.Guard
}

// Keys counts what next refuses.
func (m *Metrics) Keys(next Keyring) Keyring { return keyring{next, m} }

type keyring struct {
	Keyring
	m *Metrics
}

// Enter implements httpapi.Keys.
func (k keyring) Enter(ctx context.Context, token string, need message.Right) (keys.Entry, error) {
	entry, err := k.Keyring.Enter(ctx, token, need)
	k.m.refused(err)
	return entry, err
}

// Admit implements accept.Guard.
func (k keyring) Admit(ctx context.Context, by *message.Grant, messages []*message.Message) []message.Admission {
	admissions := k.Keyring.Admit(ctx, by, messages)
	for _, a := range admissions {
		k.m.refused(a.Err)
	}
	return admissions
}

// refused counts by the code that the caller is told.
func (m *Metrics) refused(err error) {
	var e *message.Error
	switch {
	case err == nil:
	case errors.As(err, &e):
		m.refusals.WithLabelValues(string(e.Code)).Inc()
	case errors.Is(err, message.ErrUnavailable):
		m.refusals.WithLabelValues(causeUnavailable).Inc()
	default:
		m.refusals.WithLabelValues(causeOther).Inc()
	}
}

func (m *Metrics) defineKeys() {
	m.refusals = m.counters("key_refusals_total", "Requests, and messages of batches, refused for their API key, by the code of the answer; unavailable: it could not be asked for.", "reason",
		string(message.CodeInvalidAPIKey), string(message.CodeRestrictedAPIKey), string(message.CodeDomainNotAllowed),
		string(message.CodeRateLimit), string(message.CodeDailyQuota), causeUnavailable, causeOther)
}
