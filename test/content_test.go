package test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
)

// pixel is a PNG of one transparent pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

const greeting = `<!doctype html><h1>Grüße, Ann</h1><img src="cid:logo" alt="logo"><p>Line
.
..two dots</p>`

// richMail is an HTML mail with an inline image and an attachment of random
// bytes.
func richMail(t testing.TB, to string, size int) (email, []byte) {
	t.Helper()
	data := make([]byte, size)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return email{
		"from": "Shöp <shop@sender.example>", "to": []string{to}, "subject": "Ihre Rechnung über 5 €",
		"html": greeting, "text": "Grüße, Ann\n.\n..two dots\n",
		"attachments": []map[string]any{
			{"filename": "logo.png", "content": pixel, "content_type": "image/png", "content_id": "logo"},
			{"filename": "Rechnung über 5 €.pdf", "content": base64.StdEncoding.EncodeToString(data), "content_type": "application/pdf"},
		},
	}, data
}

// checkRich holds a received mail against what was posted.
func checkRich(t testing.TB, raw []byte, data []byte) {
	t.Helper()
	got, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.GetHeader("Subject"); s != "Ihre Rechnung über 5 €" {
		t.Errorf("subject %q", s)
	}
	if html := strings.ReplaceAll(got.HTML, "\r\n", "\n"); strings.TrimSpace(html) != greeting {
		t.Errorf("html %q", html)
	}
	if len(got.Attachments) != 1 || !bytes.Equal(got.Attachments[0].Content, data) {
		t.Errorf("%d attachments, or other bytes than were posted", len(got.Attachments))
	} else if name := got.Attachments[0].FileName; name != "Rechnung über 5 €.pdf" {
		t.Errorf("attachment is called %q", name)
	}
	image, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Inlines) != 1 || got.Inlines[0].ContentID != "logo" || !bytes.Equal(got.Inlines[0].Content, image) {
		t.Errorf("the inline image did not arrive as it was: %+v", got.Inlines)
	}
}

func TestARichMailReachesMailHogIntact(t *testing.T) {
	mailhog := service(t, "POSTRIDER_TEST_MAILHOG_URL")
	inBothModes(t, setting{smtp: service(t, "POSTRIDER_TEST_SMTP_URL")}, func(s *stack) {
		to := uuid.NewString() + "@example.com"
		e, data := richMail(s.TB, to, 400<<10) // MailHog takes ever longer for each further byte of a mail
		s.await(s.post(e), message.StatusSent)
		res, err := http.Get(mailhog + "/api/v2/search?kind=to&query=" + to)
		if err != nil {
			s.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var page struct {
			Items []struct{ Raw struct{ Data string } }
		}
		if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
			s.Fatal(err)
		}
		if len(page.Items) != 1 {
			s.Fatalf("%d mails in MailHog", len(page.Items))
		}
		checkRich(s.TB, []byte(page.Items[0].Raw.Data), data)
	})
}

func TestALargeMailReachesTheRelayHostIntact(t *testing.T) {
	aloneInBothModes(t, setting{consumers: 1}, func(s *stack) {
		e, data := richMail(s.TB, "ann@example.com", 8<<20)
		s.await(s.post(e), message.StatusSent)
		mails := s.relay.Mails()
		if len(mails) != 1 {
			s.Fatalf("%d mails", len(mails))
		}
		checkRich(s.TB, mails[0].Data, data)
	})
}

// 24 MB keep a core busy for half a minute under the race detector, at both ends of
// connections that have time limits: this story is told alone.
func TestTheDevelopmentInboxShowsWhatWasPosted(t *testing.T) {
	s := &stack{TB: t, mode: embedded, api: "http://" + freeAddress(t)}
	inbox := freeAddress(t)
	dir := t.TempDir()
	env := []string{
		"POSTRIDER_LISTEN=" + strings.TrimPrefix(s.api, "http://"), "POSTRIDER_API_KEYS=" + apiKey,
		"POSTRIDER_INBOX_LISTEN=" + inbox, "POSTRIDER_INBOX_SMTP_LISTEN=" + freeAddress(t),
		"POSTRIDER_METRICS_LISTEN=" + freeAddress(t), "POSTRIDER_DATABASE_URL=sqlite:" + dir + "/dev.db",
	}
	s.producer = launch(t, "postrider", env, "dev")
	s.eventually("the API is ready", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK
	})
	e, data := richMail(t, "ann@example.com", 24<<20)
	s.await(s.post(e), message.StatusSent)
	checkRich(t, inboxMail(t, "http://"+inbox), data)
	res, err := http.Get("http://" + inbox + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var page bytes.Buffer
	if _, err := page.ReadFrom(res.Body); err != nil || !strings.Contains(page.String(), "ann@example.com") {
		t.Errorf("the page does not list the mail: %v", err)
	}
}

// inboxMail downloads the newest mail of the inbox.
func inboxMail(t testing.TB, base string) []byte {
	t.Helper()
	var page struct{ Items []struct{ ID string } }
	res, err := http.Get(base + "/api/v2/messages?limit=1")
	if err != nil {
		t.Fatal(err)
	}
	err = json.NewDecoder(res.Body).Decode(&page)
	_ = res.Body.Close()
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d mails in the inbox, %v", len(page.Items), err)
	}
	res, err = http.Get(base + "/api/v1/messages/" + page.Items[0].ID + "/download")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}
