package wire

import (
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// TestEventsTellEachEndOnce has the ways by which a recipient can end beside the
// tries that it had.
func TestEventsTellEachEndOnce(t *testing.T) {
	at := func(n int) time.Time { return now().Add(time.Duration(n) * time.Minute) }
	try := func(n int, o message.OutcomeKind) message.Attempt {
		return message.Attempt{StartedAt: at(n), FinishedAt: at(n), Outcome: o}
	}
	ended := func(n int, s message.Status, r message.Reason) message.Delivery {
		return message.Delivery{Status: s, Reason: r, FinishedAt: at(n), Address: "a@example.com"}
	}
	for name, c := range map[string]struct {
		delivery message.Delivery
		tries    []message.Attempt
		want     []string
	}{
		"nothing yet":      {message.Delivery{Status: message.StatusQueued}, nil, []string{"queued"}},
		"sent at once":     {ended(1, message.StatusSent, ""), []message.Attempt{try(1, message.OutcomeSent)}, []string{"queued", "sent"}},
		"refused":          {ended(1, message.StatusFailed, message.ReasonRejected), []message.Attempt{try(1, message.OutcomeFailed)}, []string{"queued", "failed rejected"}},
		"delayed and sent": {ended(2, message.StatusSent, ""), []message.Attempt{try(1, message.OutcomeRetry), try(2, message.OutcomeSent)}, []string{"queued", "delivery_delayed", "sent"}},
		"out of tries":     {ended(2, message.StatusFailed, message.ReasonExhausted), []message.Attempt{try(1, message.OutcomeRetry)}, []string{"queued", "delivery_delayed", "failed retries_exhausted"}},
		"expired":          {ended(2, message.StatusFailed, message.ReasonExpired), nil, []string{"queued", "failed expired"}},
		"poison":           {ended(2, message.StatusFailed, message.ReasonPoison), []message.Attempt{try(1, message.OutcomeInterrupted)}, []string{"queued", "interrupted", "failed poison"}},
		"canceled":         {ended(2, message.StatusCanceled, ""), []message.Attempt{try(1, message.OutcomeRetry)}, []string{"queued", "delivery_delayed", "canceled"}},
		"unknown":          {ended(2, message.StatusUnknown, ""), []message.Attempt{try(2, message.OutcomeUnknown)}, []string{"queued", "unknown"}},
		"refused, retried by hand, expired": {
			ended(2, message.StatusFailed, message.ReasonExpired), []message.Attempt{try(1, message.OutcomeFailed)}, []string{"queued", "failed", "failed expired"},
		},
	} {
		v := &message.View{Now: at(9), Message: message.Message{CreatedAt: at(0)}, Deliveries: []message.Delivery{c.delivery}, Attempts: c.tries}
		var got []string
		for _, e := range NewEvents(v).Data {
			kind := e.Type
			if e.Reason != "" {
				kind += " " + string(e.Reason)
			}
			got = append(got, kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
