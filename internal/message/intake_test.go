package message

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsShownOfARefusedDraft(t *testing.T) {
	m := DefaultLimits().Refused(&Draft{
		From: "Ann <ann@example.com>", To: []string{"bob@EXAMPLE.com", "no address\r\nX: y", "bob@example.com"}, Cc: []string{strings.Repeat("x", 1000)},
		Subject: "a\nb", Text: "secret", Tags: []Tag{{"kind", "order"}}, Metadata: map[string]string{"a.b": "x"}, Lane: "low", OnUnknown: "never",
		Headers: []Header{{"Bcc", "x"}}, Attachments: []DraftAttachment{{Filename: "a", Data: []byte("x")}},
	})
	var shown []string
	for _, r := range m.Recipients() {
		shown = append(shown, r.Address)
	}
	want := []string{"bob@example.com", "no address\uFFFD\uFFFDX: y", strings.Repeat("x", 254) + "…"}
	if !slices.Equal(shown, want) || m.Head.From.Name != "Ann" || m.Head.Subject != "a\uFFFDb" || m.Lane != LaneLow || m.OnUnknown != Resend {
		t.Errorf("%q, %+v", shown, m)
	}
	if len(m.Head.Tags) != 1 || m.Head.Metadata != nil || m.Head.Headers != nil || m.Attachments != nil || m.Content != (Content{}) {
		t.Errorf("kept %+v", m)
	}
}

func TestARefusedDraftHasARecipientAndEndsNoLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := hostileDraft(t)
		if rapid.Bool().Draw(t, "nobody") {
			d.To, d.Cc, d.Bcc = nil, nil, nil
		}
		m := DefaultLimits().Refused(d)
		if len(m.Recipients()) == 0 || !m.Lane.Valid() {
			t.Fatalf("%+v", m)
		}
		for _, s := range headerBound(m) {
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Fatalf("shown as %q", s)
			}
		}
	})
}
