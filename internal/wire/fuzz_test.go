package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// plainEmail writes a draft in the plainest form there is.
func plainEmail(t *testing.T, d *message.Draft) []byte {
	body := map[string]any{
		"from": d.From, "to": d.To, "cc": d.Cc, "bcc": d.Bcc, "reply_to": d.ReplyTo, "subject": d.Subject, "html": d.HTML, "text": d.Text,
		"headers": Headers(d.Headers), "tags": d.Tags, "metadata": d.Metadata,
	}
	for name, value := range map[string]string{"scheduled_at": d.ScheduledAt, "expires_at": d.ExpiresAt, "lane": d.Lane, "on_unknown": d.OnUnknown} {
		if value != "" {
			body[name] = value
		}
	}
	var attachments []map[string]any
	for _, a := range d.Attachments {
		attachments = append(attachments, map[string]any{
			"filename": a.Filename, "content": a.Data, "content_type": a.ContentType, "content_id": a.ContentID,
		})
	}
	body["attachments"] = attachments
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzReadEmail(f *testing.F) {
	for _, body := range []string{
		with(), with(`"headers":{"X-A":"1"}`, `"attachments":[{"filename":"a","content":"YQ=="}]`), with(`"cc":["c@example.com",1]`),
		with(`"attachments":[{"content":[1,2,3]},{"content":{"type":"Buffer","data":[1]}}]`), with(`"tags":[{"name":"a","value":"b"}]`),
		with(`"to":"x"`), `{"from":"\ud800"}`, `[[[[[[[[[[[[[[[[[[[[`, `{"metadata":{"a":"\u0000"},"lane":"low","scheduled_at":"2030-02-01T00:00:00Z"}`,
	} {
		f.Add([]byte(body))
	}
	limits := message.DefaultLimits()
	f.Fuzz(func(t *testing.T, body []byte) {
		d, hash, err := ReadEmail(bytes.NewReader(body), limits, now())
		if err != nil {
			var e *message.Error
			if !errors.As(err, &e) || len(e.Fields) == 0 || d != nil {
				t.Fatalf("refused with %v and %v", err, d)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("read what is not JSON: %q", body)
		}
		plain := plainEmail(t, d)
		if _, again, err := ReadEmail(bytes.NewReader(plain), limits, now()); err != nil || again != hash {
			t.Fatalf("%q in its plain form %q: %v, another hash: %v", body, plain, err, again != hash)
		}
	})
}
