package wire

import (
	"slices"

	"github.com/postrider/postrider/internal/message"
)

// Event is something that happened to a message, or to one of its recipients.
type Event struct {
	Object       string         `json:"object"` // always "event"
	Type         string         `json:"type"`
	CreatedAt    Time           `json:"created_at"`
	Recipient    string         `json:"recipient,omitempty"` // absent: all of them
	Reason       message.Reason `json:"reason,omitempty"`    // with failed
	RelayHost    string         `json:"relay_host,omitempty"`
	Code         int            `json:"code,omitempty"`
	EnhancedCode string         `json:"enhanced_code,omitempty"`
	Detail       string         `json:"detail,omitempty"`
}

// Events are all that is known of a message's past, oldest first.
type Events struct {
	Object  string  `json:"object"`   // always "list"
	HasMore bool    `json:"has_more"` // always false
	Data    []Event `json:"data"`
}

// eventOf names a try in the words of Resend's events where there is one. A
// worker that was lost, and an outcome that nobody knows, are ours.
func eventOf(k message.OutcomeKind) string {
	if k == message.OutcomeRetry {
		return string(message.StatusDelayed)
	}
	return string(k)
}

// NewEvents derives the past from the tries and from the ends of recipients. An
// end that a try has brought about is that try's event.
func NewEvents(v *message.View) Events {
	first := Event{Object: "event", Type: string(message.StatusQueued), CreatedAt: Time{v.Message.CreatedAt}}
	if !v.Message.ScheduledAt.IsZero() {
		first.Type = string(message.StatusScheduled)
	}
	all := []Event{first}
	for i := range v.Attempts {
		a := newAttempt(&v.Attempts[i], v.Deliveries)
		all = append(all, Event{
			Object: "event", Type: eventOf(a.Outcome), CreatedAt: a.FinishedAt, Recipient: a.Recipient, RelayHost: a.RelayHost,
			Code: a.Code, EnhancedCode: a.EnhancedCode, Detail: a.Detail,
		})
	}
	for i := range v.Deliveries {
		d := &v.Deliveries[i]
		if d.Status.Open() {
			continue
		}
		end := Event{Object: "event", Type: string(d.Status), CreatedAt: Time{d.FinishedAt}, Recipient: d.Address, Reason: d.Reason}
		if at := lastTry(all, d); at >= 0 && all[at].Type == end.Type && byTry(d.Reason) {
			all[at].Reason = end.Reason
			continue
		}
		all = append(all, end)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.CreatedAt.Compare(b.CreatedAt.Time) })
	return Events{Object: "list", Data: all}
}

// byTry reports whether an end with the reason is the outcome of a try. One that
// failed may be queued again by hand, and end by the clock.
func byTry(r message.Reason) bool {
	return r != message.ReasonExpired && r != message.ReasonExhausted
}

// lastTry finds the newest try for a recipient; -1: there was none.
func lastTry(all []Event, d *message.Delivery) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Recipient == d.Address {
			return i
		}
	}
	return -1
}
