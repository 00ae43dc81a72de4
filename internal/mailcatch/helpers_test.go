package mailcatch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/smtp"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/mailcatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running starts an inbox on free ports and stops it with the test.
func running(t *testing.T, cfg mailcatch.Config) *mailcatch.Inbox {
	t.Helper()
	cfg.SMTPListen, cfg.HTTPListen = "127.0.0.1:0", "127.0.0.1:0"
	i := mailcatch.New(cfg)
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop(t, i)
	})
	return i
}

func stop(t *testing.T, i *mailcatch.Inbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := i.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("stop had to cut connections")
	}
}

// crlf writes a mail with the line ends of the wire.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func post(t *testing.T, i *mailcatch.Inbox, raw string, to ...string) {
	t.Helper()
	if len(to) == 0 {
		to = []string{"ann@example.com"}
	}
	if err := smtp.SendMail(i.SMTPAddr(), nil, "shop@example.com", to, []byte(raw)); err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func call(t *testing.T, i *mailcatch.Inbox, method, path string, edit ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+i.HTTPAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range edit {
		f(req)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func get(t *testing.T, i *mailcatch.Inbox, path string) answer {
	t.Helper()
	return call(t, i, http.MethodGet, path)
}

func mustGet(t *testing.T, i *mailcatch.Inbox, path string) answer {
	t.Helper()
	a := get(t, i, path)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a
}

// messages is what MailHog's clients read of a list.
type messages struct {
	Total, Count, Start int
	Items               []struct {
		ID      string
		Content struct{ Headers map[string][]string }
		Raw     struct {
			From, Data, Helo string
			To               []string
		}
	}
}

func list(t *testing.T, i *mailcatch.Inbox, path string) messages {
	t.Helper()
	var m messages
	if err := json.Unmarshal([]byte(mustGet(t, i, path).body), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// newest is the path of the newest mail's page, as the list links to it: the
// API would spell out large mails.
func newest(t *testing.T, i *mailcatch.Inbox) string {
	t.Helper()
	found := regexp.MustCompile(`href="(/mail/[^"]+)"`).FindStringSubmatch(mustGet(t, i, "/").body)
	if found == nil {
		t.Fatal("the list links to no mail")
	}
	return found[1]
}

func newestID(t *testing.T, i *mailcatch.Inbox) string {
	t.Helper()
	return strings.TrimPrefix(newest(t, i), "/mail/")
}

func wantContains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: missing %q in:\n%.2000s", what, p, text)
		}
	}
}

func wantNone(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(strings.ToLower(text), p) {
			t.Errorf("%s: has %q in:\n%.2000s", what, p, text)
		}
	}
}

// openStream opens the event stream and reads its first line.
func openStream(t *testing.T, i *mailcatch.Inbox) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+i.HTTPAddr()+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	if res.StatusCode != http.StatusOK || !lines.Scan() {
		t.Fatalf("event stream: %d", res.StatusCode)
	}
	return lines
}
