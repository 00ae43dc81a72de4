package wire

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

var update = flag.Bool("update", false, "write the golden files anew")

func id(last byte) uuid.UUID { return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 15: last} }

// sampleView has a recipient in every state.
func sampleView() *message.View {
	t, key := now(), message.Key{MessageID: id(1)}
	v := &message.View{Now: t, Message: message.Message{
		ID: id(1), Lane: message.LaneHigh, OnUnknown: message.Hold, CreatedAt: t.Add(-time.Hour), ExpiresAt: t.Add(48 * time.Hour),
		Head: message.Head{
			From: message.Address{Name: "Acme, Inc.", Email: "a@example.com"}, To: []message.Address{{Name: "Ü", Email: "to@example.com"}},
			Bcc: []message.Address{{Email: "bcc@example.com"}}, Subject: "<Hi> & bye",
			Headers: []message.Header{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: "<2>"}}, Tags: []message.Tag{{Name: "n", Value: "v"}},
			Metadata: map[string]string{"k": "v"},
		},
		Content:     message.Content{HTML: "<p>hi</p>"},
		Attachments: []message.Attachment{{Filename: "a.png", ContentType: "image/png", ContentID: "img", Size: 5}, {Filename: "b", ContentType: "text/plain"}},
	}}
	add := func(d message.Delivery) {
		d.Key, d.N, d.Role = key, int16(len(v.Deliveries)), message.RoleTo
		d.Address = string(rune('a'+d.N)) + "@example.com"
		v.Deliveries = append(v.Deliveries, d)
	}
	add(message.Delivery{Status: message.StatusSent, RemoteID: "4XYZ", FinishedAt: t.Add(-time.Minute), Attempts: 1, NextAttemptAt: t.Add(-time.Hour)})
	add(message.Delivery{Status: message.StatusFailed, Reason: message.ReasonRejected, FinishedAt: t.Add(-time.Minute), Attempts: 1})
	add(message.Delivery{Status: message.StatusQueued, Claim: 2, Attempts: 2, NextAttemptAt: t.Add(5 * time.Minute)})
	add(message.Delivery{Status: message.StatusQueued, NextAttemptAt: t.Add(time.Hour)})
	add(message.Delivery{Status: message.StatusQueued, NextAttemptAt: t.Add(-time.Second)})
	add(message.Delivery{Status: message.StatusSending, UnknownOutcomes: 1, NextAttemptAt: t.Add(time.Minute)})
	add(message.Delivery{Status: message.StatusUnknown, UnknownOutcomes: 3, FinishedAt: t})
	v.Attempts = []message.Attempt{
		{N: 0, StartedAt: t.Add(-2 * time.Minute), FinishedAt: t.Add(-2*time.Minute + 1500*time.Millisecond), WorkerID: id(9), RelayHost: "mx:25",
			Outcome: message.OutcomeSent, Code: 250, Enhanced: "2.0.0", Detail: "ok"},
		{N: 2, StartedAt: t, FinishedAt: t, WorkerID: id(9), RelayHost: "mx:25", Outcome: message.OutcomeRetry, Detail: "connection refused"},
	}
	return v
}

func TestScheduledAtIsTheTimeThatAMessageWaitsFor(t *testing.T) {
	posted, moved := now().Add(time.Hour), now().Add(2*time.Hour)
	for name, c := range map[string]struct {
		posted     time.Time
		deliveries []message.Delivery
		want       time.Time
	}{
		"as posted":              {posted, []message.Delivery{{Status: message.StatusQueued, NextAttemptAt: posted}}, posted},
		"moved":                  {posted, []message.Delivery{{Status: message.StatusQueued, NextAttemptAt: moved}}, moved},
		"moved from at once":     {time.Time{}, []message.Delivery{{Status: message.StatusQueued, NextAttemptAt: moved}}, moved},
		"moved to at once":       {posted, []message.Delivery{{Status: message.StatusQueued, NextAttemptAt: now()}}, time.Time{}},
		"that, and sent":         {posted, []message.Delivery{{Status: message.StatusSent, Claim: 1, NextAttemptAt: now()}}, time.Time{}},
		"canceled":               {posted, []message.Delivery{{Status: message.StatusCanceled, NextAttemptAt: posted}}, posted},
		"one is canceled":        {posted, []message.Delivery{{Status: message.StatusCanceled, NextAttemptAt: posted}, {Status: message.StatusQueued, NextAttemptAt: moved}}, moved},
		"the time has come":      {now().Add(-time.Hour), []message.Delivery{{Status: message.StatusSent, Claim: 1}}, now().Add(-time.Hour)},
		"delayed after its time": {now().Add(-time.Hour), []message.Delivery{{Status: message.StatusQueued, Claim: 1, NextAttemptAt: moved}}, now().Add(-time.Hour)},
		"at once":                {time.Time{}, []message.Delivery{{Status: message.StatusQueued, NextAttemptAt: now()}}, time.Time{}},
	} {
		v := &message.View{Now: now(), Message: message.Message{ScheduledAt: c.posted}, Deliveries: c.deliveries}
		if got := NewItem(v).ScheduledAt; !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestViewsAreAsWritten(t *testing.T) {
	empty := &message.View{Now: now(), Message: message.Message{ID: id(2), Content: message.Content{Text: "t"}, CreatedAt: now(), Lane: message.LaneNormal}}
	for name, v := range map[string]any{
		"email.json": NewEmail(sampleView()), "empty.json": NewEmail(empty),
		"list.json":    NewList(&message.Page{HasMore: true, Next: id(1), Views: []message.View{*sampleView()}}),
		"events.json":  NewEvents(sampleView()),
		"nothing.json": NewList(&message.Page{}), "receipt.json": Receipt{Object: "email", ID: id(1).String(), Status: message.StatusQueued},
	} {
		got, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "views", name)
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestViewsAreReadAsWritten(t *testing.T) {
	sample := NewEmail(sampleView())
	text, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	var again Email
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, again); diff != "" {
		t.Error(diff)
	}
}

func TestLastEventStaysInResendsList(t *testing.T) {
	list := []string{"bounced", "canceled", "clicked", "complained", "delivered", "delivery_delayed", "failed", "opened", "queued", "scheduled", "sent", "suppressed"}
	for _, s := range []message.Status{
		message.StatusQueued, message.StatusSending, message.StatusSent, message.StatusFailed, message.StatusUnknown,
		message.StatusCanceled, message.StatusSuppressed, message.StatusScheduled, message.StatusDelayed,
	} {
		if !slices.Contains(list, lastEvent(s)) {
			t.Errorf("%s is shown as %s", s, lastEvent(s))
		}
	}
}

func TestHeadersRefuseWhatIsNoObjectOfStrings(t *testing.T) {
	for _, text := range []string{`[]`, `{"a":1}`, `"x"`, `{"a":"b","a":"c"}`} {
		var h Headers
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s was read as %v", text, h)
		}
	}
	var h Headers
	if err := json.Unmarshal([]byte("null"), &h); err != nil || h != nil {
		t.Errorf("null: %v, %v", h, err)
	}
}
