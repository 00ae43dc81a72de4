package httpapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

func TestTheContentIsTheMailItself(t *testing.T) {
	w := newWorld(t)
	data := bytes.Repeat([]byte("\x00\xff file "), 50_000)
	id := w.post(`"bcc":"hidden@example.com"`, `"html":"<p>Grüße</p>"`,
		`"attachments":[{"filename":"a.bin","content":"`+base64.StdEncoding.EncodeToString(data)+`"}]`)
	a := w.do("GET", "/v1/emails/"+id+"/content", "")
	a.want(t, 200, "")
	for name, want := range map[string]string{
		"Content-Type": "message/rfc822", "Content-Disposition": `attachment; filename="` + id + `.eml"`, "X-Content-Type-Options": "nosniff",
		"Content-Length": strconv.Itoa(len(a.body)),
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	mail, err := enmime.ReadEnvelope(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if mail.GetHeader("Message-Id") != "<"+id+"@example.com>" || len(mail.Attachments) != 1 || !bytes.Equal(mail.Attachments[0].Content, data) {
		t.Errorf("Message-ID %s, %d attachments", mail.GetHeader("Message-Id"), len(mail.Attachments))
	}
	if bytes.Contains(a.body, []byte("hidden@")) {
		t.Error("it tells of a blind copy")
	}
	if again := w.do("GET", "/v1/emails/"+id+"/content", ""); !bytes.Equal(again.body, a.body) {
		t.Error("the second time it is another")
	}
	if head := w.do("HEAD", "/v1/emails/"+id+"/content", ""); head.status != 200 || len(head.body) != 0 {
		t.Errorf("HEAD: %d, %d bytes", head.status, len(head.body))
	}
}

func TestAHeadOfTheContentReadsNoFiles(t *testing.T) {
	var opened atomic.Int32
	w := newWorld(t, func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports {
			open := ports.OpenBlob
			ports.OpenBlob = func(ctx context.Context, b message.Blob) (io.ReadCloser, error) {
				opened.Add(1)
				return open(ctx, b)
			}
			return ports
		}
	})
	id := w.post(`"attachments":[{"filename":"a.bin","content":"` + base64.StdEncoding.EncodeToString(make([]byte, 400_000)) + `"}]`)
	got := w.do("GET", "/v1/emails/"+id+"/content", "")
	if n := opened.Swap(0); n != 2 {
		t.Fatalf("GET opened %d files, want 2: whether it is there, and what is in it", n)
	}
	head := w.do("HEAD", "/v1/emails/"+id+"/content", "")
	if n := opened.Load(); n != 1 || head.status != 200 || head.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
		t.Errorf("HEAD opened %d files, want 1: %d, %v", n, head.status, head.header)
	}
}

func TestContentsThatAreReadAtOnceAreBound(t *testing.T) {
	w := newWorld(t, func(p *plan) { p.api.MemoryBytes = 12_000 })
	id := w.post(`"text":"` + strings.Repeat("x", 6_000) + `"`)
	w.do("GET", "/v1/emails/"+id+"/content", "").want(t, 200, "")
	small := newWorld(t, func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports { ports.Emails = full{ports.Emails}; return ports }
		p.api.MemoryBytes = 3
	})
	a := small.do("GET", "/v1/emails/"+id+"/content", "")
	if a.want(t, 503, "overloaded"); a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a.header)
	}
}

func TestEventsTellThePastInOrder(t *testing.T) {
	w := newWorld(t)
	id := w.post(`"to":["b@example.com","c@example.com"]`)
	events := func(id string) (types []string) {
		a := w.do("GET", "/v1/emails/"+id+"/events", "")
		a.want(t, 200, "")
		for _, e := range a.json["data"].([]any) {
			types = append(types, e.(map[string]any)["type"].(string))
		}
		return types
	}
	if got := events(id); !slices.Equal(got, []string{"queued"}) {
		t.Errorf("%v", got)
	}
	w.do("POST", "/v1/emails/"+id+"/cancel", "").want(t, 200, "")
	if got := events(id); !slices.Equal(got, []string{"queued", "canceled", "canceled"}) {
		t.Errorf("%v", got)
	}
	later := w.post(`"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)
	if got := events(later); !slices.Equal(got, []string{"scheduled"}) {
		t.Errorf("%v", got)
	}
}

func TestEventsOfAnEmailThatWentThroughEverythingAreAsDocumented(t *testing.T) {
	w := newWorld(t, func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports { ports.Emails = full{ports.Emails}; return ports }
	})
	w.do("GET", "/v1/emails/"+message.NewID().String()+"/events", "").want(t, 200, "")
}

func TestADryRunTellsAllAndStoresNothing(t *testing.T) {
	w := newWorld(t)
	dry := func(body string, headers ...string) answer {
		return w.do("POST", "/v1/emails?dry_run=true", body, headers...)
	}
	a := dry(email(`"to":["b@example.com","delivered+x@simulator.postrider.test"]`, `"cc":"B@example.com"`, `"bcc":"jürgen@example.com"`,
		`"subject":" "`, `"text":""`, `"html":"<p>hi</p>"`, `"scheduled_at":"2001-01-01T00:00:00Z"`), "Idempotency-Key", "dry")
	a.want(t, 200, "")
	var got struct {
		Object, Status, Content string
		Size                    int
		ContentComplete         bool `json:"content_complete"`
		Recipients              []struct {
			Address, Role string
			Simulated     bool
		}
		Warnings []struct{ Code string }
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Object != "dry_run" || got.Status != "queued" || !got.ContentComplete || got.Size != len(got.Content) || !strings.Contains(got.Content, "<p>hi</p>") {
		t.Errorf("%s", a.body)
	}
	if len(got.Recipients) != 3 || !got.Recipients[1].Simulated || got.Recipients[0].Simulated || got.Recipients[2].Role != "bcc" {
		t.Errorf("%+v", got.Recipients)
	}
	var codes []string
	for _, warning := range got.Warnings {
		codes = append(codes, warning.Code)
	}
	if want := []string{"duplicate_recipient", "simulated", "no_subject", "no_text", "past_scheduled_at", "needs_smtputf8"}; !slices.Equal(codes, want) {
		t.Errorf("warnings %v, want %v", codes, want)
	}
	if clean := dry(email()); len(clean.json["warnings"].([]any)) != 0 {
		t.Errorf("%s", clean.body)
	}
	large := dry(email(`"text":"` + strings.Repeat("0123456789 ", 1_000_000) + `"`))
	if large.want(t, 200, ""); large.json["content_complete"] != false || len(large.text("content")) != 16<<10 {
		t.Errorf("%.300s", large.body)
	}
	if later := dry(email(`"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)); later.text("status") != "scheduled" {
		t.Errorf("%s", later.body)
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored", n)
	}
	w.do("POST", "/v1/emails", email(), "Idempotency-Key", "dry").want(t, 202, "") // the key is still free
	if used := dry(email(`"text":"other"`), "Idempotency-Key", "dry"); used.status != 200 {
		t.Errorf("a dry run under a used key: %s", used.body)
	}
}

// One address, three times: there are no two that stand there more than once.
func TestADryRunMiscountsNoAddress(t *testing.T) {
	a := newWorld(t).do("POST", "/v1/emails?dry_run=true", email(`"to":["b@example.com","b@example.com"]`, `"cc":"b@example.com"`))
	if !strings.Contains(string(a.body), "an address stands there more than once: it gets one mail") {
		t.Errorf("%s", a.body)
	}
}

func TestAnUnknownParameterIsAnsweredWithTheKnown(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/v1/emails?state=failed": "but these: limit, after, before, status, lane, recipient, subject, tag, metadata.KEY, template, created_after, created_before",
		"/v1/tenants?x=1":         "but these: limit, after",
	} {
		if got := w.do("GET", path, "").text("message"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestALostPlusIsHintedAtWhereOneMayBeLost(t *testing.T) {
	w := newWorld(t)
	for query, hinted := range map[string]bool{
		"created_after=2030-01-31T08:00:00+01:00": true, "created_after=yesterday": false,
		"recipient=a+b@example.com": true, "recipient=%3Ca@example.com%3E": false,
	} {
		if got := w.do("GET", "/v1/emails?"+query, "").text("message"); got == "" || strings.Contains(got, "%2B") != hinted {
			t.Errorf("%s: %s", query, got)
		}
	}
}

func TestADryRunIsAsStrictAsAPost(t *testing.T) {
	w := newWorld(t)
	for _, row := range slices.Concat(unreadableBodies(), wrongFields(), wrongPeople(), wrongContent(), wrongAttachments()) {
		real := w.do("POST", "/v1/emails", row.body)
		dry := w.do("POST", "/v1/emails?dry_run=true", row.body)
		if dry.status != real.status || !slices.Equal(dry.faults(), real.faults()) {
			t.Errorf("%s: %d %v, a post: %d %v", row.name, dry.status, dry.faults(), real.status, real.faults())
		}
	}
	for query, fault := range map[string]string{
		"dry_run=1": "/dry_run invalid_field", "dry_run=": "/dry_run invalid_field", "dry_run=TRUE": "/dry_run invalid_field",
		"dryrun=true": "/dryrun unknown_field", "dry_run=true&dry_run=true": "/dry_run invalid_field", "dry_run=false&x": "/x unknown_field",
	} {
		a := w.do("POST", "/v1/emails?"+query, email())
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), fault) {
			t.Errorf("%s: %v", query, a.faults())
		}
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored", n)
	}
	w.do("POST", "/v1/emails?dry_run=false", email()).want(t, 202, "")
}
