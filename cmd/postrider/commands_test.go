package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

type emailView = wire.Email

var update = flag.Bool("update", false, "write the expected output under testdata")

// golden holds output against a file. Times are in the zone of this machine and
// are masked.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	got = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(got, "YYYY-MM-DD hh:mm:ss")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: go test -update writes it anew\n%s", path, diff)
	}
}

func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	for name, args := range map[string][]string{
		"help": {}, "help-send": {"send", "--help"}, "help-show": {"show", "-h"}, "help-config": {"config", "--help"}, "help-list": {"list", "--help"},
		"help-dev": {"dev", "--help"}, "help-serve": {"serve", "--help"}, "help-migrate": {"migrate", "--help"}, "help-retry": {"retry", "--help"}, "help-healthcheck": {"healthcheck", "--help"},
		"help-keys": {"keys", "--help"}, "help-keys-create": {"keys", "create", "--help"}, "help-keys-revoke": {"keys", "revoke", "-h"}, "help-tenants": {"tenants", "--help"},
	} {
		o := tool(t, "", args...)
		o.expect(t, exitDone)
		golden(t, name, o.out)
	}
}

func TestHelpAsACommand(t *testing.T) {
	tool(t, "", "help").expect(t, exitDone, "Usage: postrider <command>")
	tool(t, "", "help", "retry").expect(t, exitDone, "Usage: postrider retry <id>")
}

func TestUnknownCommand(t *testing.T) {
	tool(t, "", "sned").expect(t, exitUsage, "sned", "; see postrider --help\n")
	tool(t, "", "show").expect(t, exitUsage, "<id>", "; see postrider show --help\n")
	tool(t, "", "keys", "create").expect(t, exitUsage, "--name", "; see postrider keys create --help\n")
}

func TestAServerThatIsGivenAFlagNamesItsSettings(t *testing.T) {
	for _, args := range [][]string{{"dev", "--port", "8081"}, {"serve", ":8081"}, {"migrate", "--url=x"}} {
		tool(t, "", args...).expect(t, exitUsage, "the settings of "+args[0]+" are environment variables", "postrider config --reference")
	}
}

func TestShow(t *testing.T) {
	s := newServer(t)
	s.views = append(s.views, func() emailView {
		v := viewOf(
			recipient{"ann@example.net", message.StatusSent, ""}, recipient{"bob@example.net", message.StatusFailed, message.ReasonRejected},
			recipient{"cy@example.net", message.StatusDelayed, ""}, recipient{"di@example.net", message.StatusUnknown, ""})
		v.Deliveries[3].UnknownOutcomes = 3
		v.Message.Head.Subject = "Your \x1b]0;order\a"
		v.Message.Head.Tags = []message.Tag{{Name: "kind", Value: "order"}}
		v.Message.Attachments = []message.Attachment{{Filename: "invoice.pdf", ContentType: "application/pdf", Size: 4711}}
		return wire.NewEmail(&v)
	})
	o := tool(t, "", "show", testID)
	o.expect(t, exitDone)
	golden(t, "show", o.out)
	o = tool(t, "", "show", testID, "--json")
	o.expect(t, exitDone, `"possibly_sent": true`, `"reason": "rejected"`, `"detail": "Try again later"`)
	tool(t, "", "show", "01990000-0000-7000-8000-00000000ffff").expect(t, exitFailed, "404")
}

func TestList(t *testing.T) {
	s := newServer(t)
	o := tool(t, "", "list", "--status", "failed", "--limit", "1", "--after", testID)
	o.expect(t, exitDone, "--after "+testID)
	golden(t, "list", o.out)
	if want := "GET /v1/emails?after=" + testID + "&limit=1&status=failed"; s.queries[0] != want {
		t.Error(s.queries)
	}
	tool(t, "", "list", "--json", "--limit", "1").expect(t, exitDone, `"has_more": true`)
}

func TestListSearches(t *testing.T) {
	s := newServer(t)
	o := tool(t, "", "list", "--tag", "kind:order", "--recipient", "ann+a@example.net", "--metadata", "order=17", "--metadata", "note=a=b",
		"--subject", "50 %", "--lane", "low", "--created-before", "2030-01-01T00:00:00+01:00", "--limit", "2")
	o.expect(t, exitDone, testID)
	first := "GET /v1/emails?created_before=2030-01-01T00%3A00%3A00%2B01%3A00&lane=low&limit=2&metadata.note=a%3Db&metadata.order=17&recipient=ann%2Ba%40example.net&subject=50+%25&tag=kind%3Aorder"
	if len(s.queries) != 3 || s.queries[0] != first || !strings.Contains(s.queries[1], "after="+testID) || !strings.Contains(s.queries[1], "limit=1") {
		t.Errorf("a page that is not full is filled up: %v", s.queries)
	}
	o = tool(t, "", "list", "--created-after", "24h")
	if at := s.queries[len(s.queries)-1]; !strings.Contains(at, "created_after="+fmt.Sprint(time.Now().Add(-24*time.Hour).Year())) {
		t.Error(at)
	}
	o.expect(t, exitDone)
	tool(t, "", "list", "--metadata", "order").expect(t, exitUsage, "key=value")
	tool(t, "", "list", "--csv", "--tag", "a").expect(t, exitDone, "id,recipient\r\n")
	if at := s.queries[len(s.queries)-1]; at != "GET /v1/emails.csv?tag=a" {
		t.Error(at)
	}
	tool(t, "", "list", "--csv", "--after", testID).expect(t, exitUsage, "--csv")
}

func TestShowContentAndEvents(t *testing.T) {
	newServer(t)
	tool(t, "", "show", testID, "--content").expect(t, exitDone, "Subject: Hello\r\n\r\n")
	o := tool(t, "", "show", testID, "--events")
	o.expect(t, exitDone)
	golden(t, "events", o.out)
	tool(t, "", "show", testID, "--events", "--json").expect(t, exitDone, `"type": "queued"`)
	tool(t, "", "show", testID, "--events", "--content").expect(t, exitUsage)
	tool(t, "", "show", testID, "--json", "--content").expect(t, exitUsage)
	tool(t, "", "show", "01990000-0000-7000-8000-00000000ffff", "--content").expect(t, exitFailed, "404")
}

func TestSendDryRun(t *testing.T) {
	s := newServer(t)
	o := tool(t, "", "send", "--from", "a@example.com", "--to", "slow@simulator.postrider.test", "--text", "Hi.", "--dry-run")
	o.expect(t, exitDone, "simulated", "Hi.", "warning: the mail has no subject")
	if len(s.posted) != 0 || strings.Contains(o.out, "\x1b") || strings.Join(s.keys, "") != "" {
		t.Errorf("%d posts, keys %v, printed %q", len(s.posted), s.keys, o.out)
	}
	tool(t, "", "send", "--from", "a", "--to", "b@example.com", "--text", "Hi.", "--dry-run").expect(t, exitFailed, "/from")
	tool(t, "", "send", "--from", "a@example.com", "--to", "b@example.com", "--text", "x", "--dry-run", "--wait").expect(t, exitUsage, "--wait")
}

func TestCancelAndRetry(t *testing.T) {
	newServer(t)
	tool(t, "", "cancel", testID).expect(t, exitFailed, "409", "not_cancelable")
	tool(t, "", "retry", testID).expect(t, exitDone, "1 recipient queued again")
}

func TestHealthcheck(t *testing.T) {
	s := newServer(t)
	tool(t, "", "healthcheck").expect(t, exitDone)
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "database: down", http.StatusServiceUnavailable)
	}))
	defer sick.Close()
	t.Setenv("POSTRIDER_URL", "a broken setting of another program")
	tool(t, "", "healthcheck", s.URL+"/readyz").expect(t, exitDone)
	tool(t, "", "healthcheck", sick.URL).expect(t, exitFailed, "503", "database: down")
	degraded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"degraded","checks":[{"name":"database","status":"ok"},{"name":"relay host","status":"degraded","detail":"refused","remedy":"check it"}]}`)
	}))
	defer degraded.Close()
	tool(t, "", "healthcheck", degraded.URL).expect(t, exitDone, "degraded\n  database: ok\n  relay host: degraded, refused\n    check it\n")
	tool(t, "", "healthcheck", "http://127.0.0.1:1/").expect(t, exitUnreachable, "cannot be reached")
	for _, wrong := range []string{"http://[", "localhost:8080", "127.0.0.1:8080/readyz", "/readyz", "ftp://localhost/"} {
		tool(t, "", "healthcheck", wrong).expect(t, exitUsage, "not a URL")
	}
	if o := tool(t, "", "healthcheck", strings.Replace(sick.URL, "//", "//user:hunter2@", 1)); strings.Contains(o.err, "hunter2") {
		t.Error(o.err)
	}
	tool(t, "", "healthcheck").expect(t, exitUsage, "POSTRIDER_URL")
	t.Setenv("POSTRIDER_URL", "http://127.0.0.1:1")
	tool(t, "", "healthcheck").expect(t, exitUnreachable, "cannot be reached", "set POSTRIDER_URL")
}

// At / there is a greeting, which a server without a database has too.
func TestHealthcheckOfAServerAloneAsksWhetherItIsReady(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.Path) }))
	defer s.Close()
	for _, page := range []string{"", "/", "/readyz", "/healthz"} {
		tool(t, "", "healthcheck", s.URL+page).expect(t, exitDone)
	}
	if got := strings.Join(asked, " "); got != "/readyz /readyz /readyz /healthz" {
		t.Error(got)
	}
}

// A server whose database hangs says so after 3 s.
func TestTheHealthCheckIsAsPatientAsTheServer(t *testing.T) {
	var c commands
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"healthcheck"}); err != nil || c.Healthcheck.Timeout <= 3*time.Second {
		t.Errorf("waits %v: %v", c.Healthcheck.Timeout, err)
	}
}

func TestConfig(t *testing.T) {
	t.Setenv("POSTRIDER_SMTP_URL", "smtp://user:hunter2@mail.example.com")
	t.Setenv("POSTRIDER_DATABASE_URL", "postgres://u:hunter2@h/d")
	t.Setenv("POSTRIDER_RABBITMQ_URL", "amqp://u:hunter2@h/")
	o := tool(t, "", "config", "consumer")
	o.expect(t, exitDone, "POSTRIDER_SMTP_URL=smtp://user:xxxxx@mail.example.com:587?tls=required  # environment", "POSTRIDER_LEASE=20s  # default")
	if strings.Contains(o.out+o.err, "hunter2") {
		t.Error("a password was printed")
	}
	t.Setenv("POSTRIDER_LEES", "20s")
	tool(t, "", "config", "consumer").expect(t, exitUsage, "POSTRIDER_LEES", "POSTRIDER_LEASE")
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if o := tool(t, "", "config", "--reference"); o.out != string(page) {
		t.Error("--reference is not the page")
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		tool(t, "", args...).expect(t, exitDone, "postrider dev", "go1.")
	}
}
