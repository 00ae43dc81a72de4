package httpapi_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

// inTime moves the times of an example to where they can be met.
func inTime(body string) string {
	member := regexp.MustCompile(`"(scheduled|expires)_at": ?"[^"]*"`)
	return member.ReplaceAllStringFunc(body, func(s string) string {
		name := strings.Split(s, `"`)[1]
		ahead := map[string]time.Duration{"scheduled_at": time.Hour, "expires_at": 2 * time.Hour}[name]
		return `"` + name + `": "` + time.Now().Add(ahead).Format(time.RFC3339) + `"`
	})
}

// port is httpapi.Emails under a name that is not that of its own method.
type port = httpapi.Emails

// full answers with an email that has been through everything.
type full struct{ port }

func (full) Email(_ context.Context, _ int64, id uuid.UUID) (message.View, error) {
	now := time.Now()
	view := message.View{Now: now, Message: message.Message{
		ID: id, Lane: message.LaneLow, OnUnknown: message.Hold, CreatedAt: now, ScheduledAt: now, ExpiresAt: now,
		Head: message.Head{
			From: message.Address{Name: "A", Email: "a@example.com"}, Tags: []message.Tag{{Name: "a", Value: "b"}},
			Headers: []message.Header{{Name: "X-A", Value: "b"}}, Metadata: map[string]string{"a": "b"},
		},
		Content:     message.Content{HTML: "<p>"},
		Attachments: []message.Attachment{{Filename: "a", ContentType: "text/plain", ContentID: "x", Size: 1}},
	}}
	for i, d := range []message.Delivery{
		{Status: message.StatusQueued},
		{Status: message.StatusQueued, NextAttemptAt: now.Add(time.Hour)},
		{Status: message.StatusQueued, NextAttemptAt: now.Add(time.Hour), Claim: 3, Attempts: 3},
		{Status: message.StatusSending, Phase: message.PhaseData}, {Status: message.StatusSent, RemoteID: "4XYZ", FinishedAt: now},
		{Status: message.StatusFailed, Reason: message.ReasonRejected}, {Status: message.StatusFailed, Reason: message.ReasonExhausted},
		{Status: message.StatusFailed, Reason: message.ReasonExpired}, {Status: message.StatusFailed, Reason: message.ReasonRender},
		{Status: message.StatusFailed, Reason: message.ReasonSMTPUTF8}, {Status: message.StatusFailed, Reason: message.ReasonInvalid},
		{Status: message.StatusFailed, Reason: message.ReasonPolicy}, {Status: message.StatusFailed, Reason: message.ReasonPoison},
		{Status: message.StatusUnknown, UnknownOutcomes: 1}, {Status: message.StatusCanceled}, {Status: message.StatusSuppressed},
	} {
		if !d.Status.Open() {
			d.FinishedAt = now
		}
		d.Key, d.Role, d.Address = message.Key{MessageID: id, N: int16(i)}, message.RoleBcc, address(i)
		view.Deliveries = append(view.Deliveries, d)
	}
	for i, outcome := range []message.OutcomeKind{
		message.OutcomeSent, message.OutcomeRetry, message.OutcomeFailed, message.OutcomeUnknown, message.OutcomeReleased, message.OutcomeInterrupted,
	} {
		view.Attempts = append(view.Attempts, message.Attempt{
			N: int16(i), Claim: 1, StartedAt: now, FinishedAt: now.Add(time.Second), WorkerID: uuid.New(), RelayHost: "mx.example.com",
			Outcome: outcome, Code: 250, Enhanced: "2.0.0", Detail: "queued as 4XYZ",
		})
	}
	return view, nil
}

func TestAnEmailThatWentThroughEverythingIsAsDocumented(t *testing.T) {
	w := newWorld(t, func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports { ports.Emails = full{ports.Emails}; return ports }
	})
	a := w.do("GET", "/v1/emails/"+message.NewID().String(), "")
	a.want(t, 200, "")
	if counts, _ := a.json["counts"].(map[string]any); a.text("status") != "sending" || counts["failed"] != 8.0 || a.json["possibly_sent"] != true {
		t.Errorf("%s", a.body)
	}
}
