package mailcatch_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/mailcatch"
)

// The goldens in testdata/mailhog are answers of a real MailHog 1.0.1 to the
// mails in testdata/mails, with ids and times taken out. Write them anew with
//
//	go test ./internal/mailcatch -run MailHogItself -update
var update = flag.Bool("update", false, "write MailHog's answers to testdata/mailhog")

func TestAnswersAsMailHogDid(t *testing.T) {
	for _, path := range mailFiles(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".eml")
		t.Run(name, func(t *testing.T) {
			golden, err := os.ReadFile(filepath.Join("testdata", "mailhog", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			i := running(t, mailcatch.Config{})
			raw := readFile(t, path)
			sendCase(t, i.SMTPAddr(), raw, name+"@postrider.test")
			ours := search(t, "http://"+i.HTTPAddr(), name+"@postrider.test")
			var theirs any
			if err := json.Unmarshal(golden, &theirs); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(theirs, plain(ours)); diff != "" {
				t.Errorf("MailHog (-) and we (+) differ:\n%s", diff)
			}
		})
	}
}

func TestAnswersAsMailHogItself(t *testing.T) {
	mailhog := service(t, "POSTRIDER_TEST_MAILHOG_URL")
	relay, err := url.Parse(service(t, "POSTRIDER_TEST_SMTP_URL"))
	if err != nil {
		t.Fatal(err)
	}
	i := running(t, mailcatch.Config{})
	for _, path := range mailFiles(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".eml")
		t.Run(name, func(t *testing.T) {
			raw := readFile(t, path)
			// The MailHog is shared; the recipient is this run's own.
			to := fmt.Sprintf("%s+%d@postrider.test", name, time.Now().UnixNano())
			sendCase(t, relay.Host, raw, to)
			sendCase(t, i.SMTPAddr(), raw, to)
			theirs := plain(search(t, strings.TrimSuffix(mailhog, "/"), to))
			ours := plain(search(t, "http://"+i.HTTPAddr(), to))
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("MailHog (-) and we (+) differ:\n%s", diff)
			}
			if *update {
				writeGolden(t, name, theirs)
			}
		})
	}
}

func service(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: run `make services`, then `. .services/env`", variable)
	}
	return value
}

func mailFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/mails/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mails in testdata: %v", err)
	}
	return files
}

// readFile gives a mail with the line ends of the wire: in the repository
// they are the editor's.
func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return crlf(string(b))
}

func sendCase(t *testing.T, addr, raw, to string) {
	t.Helper()
	if err := smtp.SendMail(addr, nil, "shop@example.com", []string{to, "second@example.com"}, []byte(raw)); err != nil {
		t.Fatal(err)
	}
}

func search(t *testing.T, base, to string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v2/search?kind=to&query="+url.QueryEscape(to), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	if err := json.Unmarshal(body, &found); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return found
}

// plain takes out what differs from run to run and from server to server: the
// id, the time, the Received header that names both, and the number by which
// a run marks its recipient.
func plain(found map[string]any) any {
	id := regexp.MustCompile(`^\S{20,}@\S+$`)
	number := regexp.MustCompile(`\+\d+$`)
	items, _ := found["items"].([]any)
	for _, item := range items {
		m := item.(map[string]any)
		if id.MatchString(m["ID"].(string)) {
			m["ID"] = "id"
		}
		if _, err := time.Parse(time.RFC3339Nano, m["Created"].(string)); err == nil {
			m["Created"] = "time"
		}
		headers := m["Content"].(map[string]any)["Headers"].(map[string]any)
		received := headers["Received"].([]any)
		if regexp.MustCompile(`^from \S+ by \S+ \(\w+\)\r\n          id \S+; \w{3}, `).MatchString(received[len(received)-1].(string)) {
			received[len(received)-1] = "trace"
		}
		if v := headers["Message-ID"].([]any); id.MatchString(v[0].(string)) {
			v[0] = "id"
		}
		to := m["To"].([]any)[0].(map[string]any)
		to["Mailbox"] = number.ReplaceAllString(to["Mailbox"].(string), "")
		raw := m["Raw"].(map[string]any)["To"].([]any)
		raw[0] = regexp.MustCompile(`\+\d+@`).ReplaceAllString(raw[0].(string), "@")
	}
	return found
}

func writeGolden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "mailhog", name+".json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMissingMessageID(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, "Subject: x\r\n\r\nx\r\n")
	m := list(t, i, "/api/v2/messages").Items[0]
	if got := m.Content.Headers["Message-ID"]; len(got) != 1 || got[0] != m.ID {
		t.Errorf("Message-ID %v, want the id %s", got, m.ID)
	}
}

// MailHog keeps only the last of a repeated header; a test that counts the
// Received lines of a mail needs all.
func TestRepeatedHeadersAreAllThere(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, crlf("Received: one\nReceived: two\nX-Tag: a\nX-Tag: b\n\nx\n"))
	h := list(t, i, "/api/v2/messages").Items[0].Content.Headers
	if fmt.Sprint(h["X-Tag"]) != "[a b]" || len(h["Received"]) != 3 {
		t.Errorf("headers %v", h)
	}
}
