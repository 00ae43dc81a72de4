package mailer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
)

// TestMailReachesMailHog sends HTML with an inline image and an attachment to a
// mail host that is not ours, and reads it back from there.
func TestMailReachesMailHog(t *testing.T) {
	m, err := mailer.New(mailer.Config{URL: service(t, "POSTRIDER_TEST_SMTP_URL")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	w := work(uuid.NewString() + "@example.com") // others use the same MailHog
	w.Message.Head.Subject = "Bücher: .\u2028 " + strings.Repeat("lange Betreffzeile ", 10)
	w.Message.Content = message.Content{Text: ".\n..\nlast", HTML: `<img src="cid:logo@example.com"> ünï`}
	data := bytes.Repeat([]byte("\x00\r\n.\r\n\xff"), 15_000)
	w.Message.Attachments = []message.Attachment{
		{Filename: "logo.png", ContentType: "image/png", ContentID: "logo@example.com", Disposition: "inline", Data: []byte("png")},
		{Filename: "größe.bin", ContentType: "application/octet-stream", Data: data},
	}
	receipt, err := m.Send(t.Context(), w, marked)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Code != 250 || receipt.RemoteID == "" {
		t.Errorf("receipt %+v", receipt)
	}
	e := fetch(t, w.Address)
	if e.GetHeader("Subject") != strings.TrimSpace(w.Message.Head.Subject) || !strings.Contains(e.HTML, "ünï") {
		t.Errorf("arrived: %q, %q", e.GetHeader("Subject"), e.HTML)
	}
	if strings.ReplaceAll(e.Text, "\r\n", "\n") != w.Message.Content.Text {
		t.Errorf("text arrived as %q", e.Text)
	}
	if len(e.Inlines) != 1 || len(e.Attachments) != 1 || sha256.Sum256(e.Attachments[0].Content) != sha256.Sum256(data) {
		t.Errorf("%d images and %d files arrived, or not equal", len(e.Inlines), len(e.Attachments))
	}
}

func service(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run `make services` and `. .services/env`", name)
	}
	return value
}

// fetch finds the one mail to an address in MailHog.
func fetch(t *testing.T, address string) *enmime.Envelope {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	query := service(t, "POSTRIDER_TEST_MAILHOG_URL") + "/api/v2/search?kind=to&query=" + url.QueryEscape(address)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, query, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var found struct {
		Items []struct{ Raw struct{ Data string } }
	}
	if err := json.NewDecoder(res.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	if len(found.Items) != 1 {
		t.Fatalf("MailHog has %d mails to %s", len(found.Items), address)
	}
	e, err := enmime.ReadEnvelope(strings.NewReader(found.Items[0].Raw.Data))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
