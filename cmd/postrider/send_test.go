package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
)

// minimal is a post that the server takes.
func minimal(more ...string) []string {
	return append([]string{"send", "--from", "a@example.com", "--to", "b@example.com", "--text", "x"}, more...)
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendPrintsTheIDAndNothingElse(t *testing.T) {
	s := newServer(t)
	o := tool(t, "", minimal()...)
	if o.code != exitDone || o.out != testID+"\n" || o.err != "" {
		t.Errorf("%+v", o)
	}
	if !strings.HasPrefix(s.keys[0], "cli-") || len(s.keys[0]) != 40 {
		t.Errorf("key %q", s.keys[0])
	}
}

// TestSendComposes holds every flag against what the server's own decoder and
// validator make of the post.
func TestSendComposes(t *testing.T) {
	s := newServer(t)
	html := file(t, "mail.html", `<p>Hello</p><img src="cid:logo">`)
	invoice, logo := file(t, "invoice.pdf", "%PDF-\x00\xff"), file(t, "logo.png", "\x89PNG")
	later := time.Now().Add(48 * time.Hour).In(time.FixedZone("", 3600)).Truncate(time.Second)
	tool(t, "text from\nstandard input", "send",
		"--from", "Shop <shop@example.com>", "--to", `"Ann, A." <ann@example.net>`, "--to", "bob@example.net", "--cc", "c@example.net", "--bcc", "d@example.net",
		"--reply-to", "help@example.com", "--subject", "Your order", "--text", "-", "--html", "@"+html, "--attach", invoice, "--inline", "logo="+logo,
		"--header", "X-One: 1: a", "--header", "X-Two:2", "--tag", "kind=order", "--metadata", "order=4711", "--metadata", "url=a=b",
		"--schedule", later.Format(time.RFC3339), "--expires", later.Add(time.Hour).Format(time.RFC3339), "--lane", "low", "--on-unknown", "hold",
		"--idempotency-key", "order-4711").expect(t, exitDone)
	if len(s.posted) != 1 || s.keys[0] != "order-4711" {
		t.Fatalf("%d posted, keys %v", len(s.posted), s.keys)
	}
	m := s.posted[0]
	want := message.Head{
		From: message.Address{Name: "Shop", Email: "shop@example.com"},
		To:   []message.Address{{Name: "Ann, A.", Email: "ann@example.net"}, {Email: "bob@example.net"}},
		Cc:   []message.Address{{Email: "c@example.net"}}, Bcc: []message.Address{{Email: "d@example.net"}},
		ReplyTo: []message.Address{{Email: "help@example.com"}}, Subject: "Your order",
		Headers: []message.Header{{Name: "X-One", Value: "1: a"}, {Name: "X-Two", Value: "2"}},
		Tags:    []message.Tag{{Name: "kind", Value: "order"}}, Metadata: map[string]string{"order": "4711", "url": "a=b"},
	}
	if diff := cmp.Diff(want, m.Head); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(message.Content{Text: "text from\nstandard input", HTML: `<p>Hello</p><img src="cid:logo">`}, m.Content); diff != "" {
		t.Error(diff)
	}
	if m.Lane != message.LaneLow || m.OnUnknown != message.Hold || !m.ScheduledAt.Equal(later) || !m.ExpiresAt.Equal(later.Add(time.Hour)) {
		t.Error(m.Lane, m.OnUnknown, m.ScheduledAt, m.ExpiresAt)
	}
	checkFiles(t, m.Attachments)
}

func checkFiles(t *testing.T, files []message.Attachment) {
	t.Helper()
	if len(files) != 2 {
		t.Fatal(files)
	}
	a, b := files[0], files[1]
	if a.Filename != "invoice.pdf" || string(a.Data) != "%PDF-\x00\xff" || a.ContentID != "" || a.ContentType != "application/pdf" {
		t.Errorf("%+v", a)
	}
	if b.Filename != "logo.png" || string(b.Data) != "\x89PNG" || b.ContentID != "logo" || b.ContentType != "image/png" {
		t.Errorf("%+v", b)
	}
}

func TestTextThatBeginsWithAnAt(t *testing.T) {
	s := newServer(t)
	tool(t, "", "send", "--from", "a@example.com", "--to", "b@example.com", "--text", "@@ann: hello").expect(t, exitDone)
	if s.posted[0].Content.Text != "@ann: hello" {
		t.Errorf("%q", s.posted[0].Content.Text)
	}
}

func TestScheduleFromNow(t *testing.T) {
	s := newServer(t)
	before := time.Now()
	tool(t, "", minimal("--schedule", "90m")...).expect(t, exitDone)
	if ahead := s.posted[0].ScheduledAt.Sub(before); ahead < 89*time.Minute || ahead > 91*time.Minute {
		t.Error(ahead)
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "7d": 168 * time.Hour, "0d": 0, "65535d": 65535 * 24 * time.Hour} {
		if got, err := span(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"d", "-1d", "1.5d", "1d2h", "65536d", "tomorrow", ""} {
		if got, err := span(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFileIsPostedAsItIs(t *testing.T) {
	s := newServer(t)
	body := "{\n  \"from\": \"a@example.com\", \"to\": [\"b@example.com\"], \"text\": \"x\"\n}\n"
	tool(t, "", "send", "--file", file(t, "m.json", body)).expect(t, exitDone)
	tool(t, body, "send", "-f", "-").expect(t, exitDone)
	if s.bodies[0] != body || s.bodies[1] != body {
		t.Error(s.bodies)
	}
	tool(t, "", minimal("--file", "m.json")...).expect(t, exitUsage, "leave out the flags")
}

func TestSendUsageFaults(t *testing.T) {
	s := newServer(t)
	large := file(t, "large", strings.Repeat("x", 41<<20))
	for name, args := range map[string][]string{
		"standard input":    {"--html", "-", "--text", "-"},
		"Name: value":       {"--header", "X-One"},
		"name=value":        {"--tag", "x"},
		"key=value":         {"--metadata", "x"},
		"each key once":     {"--metadata", "x=1", "--metadata", "x=2"},
		"CID=FILE":          {"--inline", "logo.png"},
		"no such file":      {"--attach", "/nowhere/x.pdf"},
		"is larger":         {"--attach", large},
		"needs a file":      {"--attach", "-"},
		"unknown flag":      {"--tow", "x"},
		"did you mean":      {"--subjet", "x"},
		"expected duration": {"--timeout", "5"},
	} {
		tool(t, "", append([]string{"send"}, args...)...).expect(t, exitUsage, name)
	}
	if len(s.posted) != 0 {
		t.Error("something was posted")
	}
}

func TestSendShowsEveryFault(t *testing.T) {
	newServer(t)
	tool(t, "", "send", "--from", "nobody", "--to", "x@", "--lane", "fast").
		expect(t, exitFailed, "422", "/from:", "/to/0:", "/lane:", "/text:")
}

func TestSendSurvivesARestartOfTheServer(t *testing.T) {
	s := newServer(t)
	s.refuse = []int{503, 503}
	tool(t, "", minimal()...).expect(t, exitDone, "Trying again", testID)
	if len(s.posted) != 1 || len(s.queries) != 3 {
		t.Error(s.queries)
	}
}

func TestSendNamesTheKeyWhenNobodyKnows(t *testing.T) {
	s := newServer(t)
	s.Close()
	tool(t, "", minimal("--patience", "0s", "--idempotency-key", "k1")...).
		expect(t, exitUnreachable, "cannot be reached", "POSTRIDER_URL", "--idempotency-key k1")
}

func TestWrongKey(t *testing.T) {
	newServer(t)
	t.Setenv("POSTRIDER_API_KEY", "another-key-of-mine")
	o := tool(t, "", minimal()...)
	o.expect(t, exitFailed, "403", "POSTRIDER_API_KEY")
	if strings.Contains(o.err, "another-key-of-mine") {
		t.Error("the key was printed")
	}
}

func TestWaitWithAKeyThatMayNotLookSaysThatTheEmailWasAccepted(t *testing.T) {
	s := newServer(t)
	all := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			refusal(w, http.StatusUnauthorized, message.CodeRestrictedAPIKey)
			return
		}
		all.ServeHTTP(w, r)
	})
	tool(t, "", minimal("--wait")...).expect(t, exitFailed, testID+"\n", "the email was accepted", "POSTRIDER_API_KEY")
}

func TestWaitShowsEachChangeOnce(t *testing.T) {
	s := newServer(t)
	ann, bob := "ann@example.net", "bob@example.net"
	s.views = append(s.views,
		shows(recipient{ann, message.StatusQueued, ""}, recipient{bob, message.StatusQueued, ""}),
		shows(recipient{ann, message.StatusSending, ""}, recipient{bob, message.StatusDelayed, ""}),
		shows(recipient{ann, message.StatusSending, ""}, recipient{bob, message.StatusDelayed, ""}),
		shows(recipient{ann, message.StatusSent, ""}, recipient{bob, message.StatusDelayed, ""}),
		shows(recipient{ann, message.StatusSent, ""}, recipient{bob, message.StatusSent, ""}))
	o := tool(t, "", minimal("--wait")...)
	o.expect(t, exitDone)
	lines := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}  `).ReplaceAllString(o.out, "")
	lines = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(lines, "TIME")
	want := testID + `
ann@example.net  queued
bob@example.net  queued
ann@example.net  sending
bob@example.net  delivery_delayed  mail.example.com:587 451 4.3.0 Try again later  next try at TIME
ann@example.net  sent  mail.example.com:587 250 2.0.0 Ok: queued as A1
bob@example.net  sent  mail.example.com:587 250 2.0.0 Ok: queued as A1
`
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestWaitEndsWithTheWorst(t *testing.T) {
	sent := recipient{"ann@example.net", message.StatusSent, ""}
	for _, other := range []recipient{
		{"bob@example.net", message.StatusFailed, message.ReasonRejected}, {"bob@example.net", message.StatusUnknown, ""},
		{"bob@example.net", message.StatusCanceled, ""}, {"bob@example.net", message.StatusSuppressed, ""},
	} {
		s := newServer(t)
		s.views = append(s.views, shows(sent, other))
		o := tool(t, "", minimal("--wait")...)
		o.expect(t, exitFailed, string(other.status), "1 of 2", "postrider show "+testID)
		if strings.Contains(o.out, "\x1b") {
			t.Error("the relay host's reply steers the terminal")
		}
	}
}

func TestWaitHasAnEnd(t *testing.T) {
	s := newServer(t)
	s.views = append(s.views, shows(recipient{"ann@example.net", message.StatusQueued, ""}))
	tool(t, "", minimal("--wait", "--timeout", "250ms")...).expect(t, exitStillOpen, "still open after 250ms", "postrider show "+testID)
}

func TestWaitOutlastsAnOutage(t *testing.T) {
	s := newServer(t)
	s.views = append(s.views, func() emailView {
		s.refuse = []int{503, 503}
		return shows(recipient{"ann@example.net", message.StatusSending, ""})()
	}, shows(recipient{"ann@example.net", message.StatusSent, ""}))
	tool(t, "", minimal("--wait")...).expect(t, exitDone, "sending", "sent")
}

func TestWaitAsJSON(t *testing.T) {
	s := newServer(t)
	s.views = append(s.views, shows(recipient{"ann@example.net", message.StatusSent, ""}))
	o := tool(t, "", minimal("--wait", "--json")...)
	if o.expect(t, exitDone, `"status": "sent"`); !strings.HasPrefix(o.out, "{\n") {
		t.Error(o.out)
	}
}

func TestInterrupt(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.views = append(s.views, func() emailView {
		cancel()
		return shows(recipient{"ann@example.net", message.StatusQueued, ""})()
	})
	toolWithin(ctx, "", minimal("--wait")...).expect(t, exitInterrupted, testID)
}

func TestTextThatIsNotUTF8IsNotSent(t *testing.T) {
	s := newServer(t)
	latin := file(t, "letter.txt", "Gr\xfc\xdfe")
	for _, flags := range [][]string{{"--html", "@" + latin}, {"--subject", "Gr\xfc\xdfe"}, {"--header", "X-A: \xff"}, {"--metadata", "\xff=1"}} {
		tool(t, "", minimal(flags...)...).expect(t, exitUsage, "UTF-8")
	}
	tool(t, "Gr\xfc\xdfe", "send", "--from", "a@example.com", "--to", "b@example.com", "--text", "-").expect(t, exitUsage, "UTF-8")
	if len(s.posted) != 0 {
		t.Errorf("%d were posted", len(s.posted))
	}
}

func TestAFlagThatIsEmptyIsRefused(t *testing.T) {
	s := newServer(t)
	for _, flag := range []string{"--schedule", "--expires", "--idempotency-key", "--lane", "--on-unknown", "--file"} {
		tool(t, "", minimal(flag, "")...).expect(t, exitUsage, flag+" is empty")
		tool(t, "", minimal(flag+"=")...).expect(t, exitUsage, flag+" is empty")
	}
	tool(t, "", "send", "-f", "").expect(t, exitUsage, "--file is empty")
	tool(t, "", "keys", "create", "--name", "x", "--expires", "").expect(t, exitUsage, "--expires is empty")
	tool(t, "", "keys", "create", "--name", "x", "--tenant", "").expect(t, exitUsage, "--tenant is empty")
	tool(t, "", "list", "--csv", "--tag", "").expect(t, exitUsage, "--tag is empty")
	if len(s.posted)+len(s.queries) != 0 {
		t.Errorf("%d posts, %v", len(s.posted), s.queries)
	}
	tool(t, "", minimal("--subject", "", "--html", "")...).expect(t, exitDone, testID)
}

func TestStandardInputIsReadOnce(t *testing.T) {
	s := newServer(t)
	for _, flags := range [][]string{{"--text", "-", "--html", "-"}, {"--text", "@-", "--html", "-"}, {"--text", "@-", "--html", "@-"}} {
		tool(t, "x", append([]string{"send", "--from", "a@example.com", "--to", "b@example.com"}, flags...)...).expect(t, exitUsage, "one thing only")
	}
	tool(t, `{"alias":"order"}`, "templates", "push", "-", "--html", "-").expect(t, exitUsage, "one thing only")
	tool(t, "x", "templates", "push", file(t, "order.json", `{"alias":"order"}`), "--html", "-", "--text", "-").expect(t, exitUsage, "one thing only")
	if len(s.posted) != 0 {
		t.Errorf("%d were posted", len(s.posted))
	}
}
