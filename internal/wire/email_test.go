package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
)

func TestDecodeEveryField(t *testing.T) {
	body := `{
		"from": "Acme <a@example.com>", "to": ["b@example.com", "B <c@example.com>"], "cc": "d@example.com",
		"bcc": ["e@example.com"], "reply_to": "f@example.com", "subject": "s\u00e9", "html": "<p>\n</p>", "text": "t",
		"headers": {"X-B": "1", "X-A": "2"}, "tags": [{"name": "n", "value": "v"}], "metadata": {"k": "v"},
		"attachments": [{"filename": "a.png", "content": "aGk\u003d", "content_type": "image/png", "content_id": "img"}],
		"scheduled_at": "2030-01-02T00:00:00Z", "expires_at": "2030-01-03T00:00:00+01:00", "lane": "high", "on_unknown": "hold"}`
	got, hash, err := DecodeEmail(strings.NewReader(body), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := &message.Draft{
		From: "Acme <a@example.com>", To: []string{"b@example.com", "B <c@example.com>"}, Cc: []string{"d@example.com"},
		Bcc: []string{"e@example.com"}, ReplyTo: []string{"f@example.com"}, Subject: "sé", HTML: "<p>\n</p>", Text: "t",
		Headers: []message.Header{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: "2"}},
		Tags:    []message.Tag{{Name: "n", Value: "v"}}, Metadata: map[string]string{"k": "v"},
		Attachments: []message.DraftAttachment{{Filename: "a.png", ContentType: "image/png", ContentID: "img", Data: []byte("hi")}},
		ScheduledAt: "2030-01-02T00:00:00Z", ExpiresAt: "2030-01-03T00:00:00+01:00", Lane: "high", OnUnknown: "hold",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if hash != Hash(want) {
		t.Error("the hash is not that of the draft")
	}
}

func TestFieldFaults(t *testing.T) {
	cases := map[string][]string{
		// Row 4
		with(`"To":"x"`, `"TO":"x"`): {"/To unknown_field", "/TO unknown_field"},
		// Row 5
		with(`"x":{"y":[1,{}]}`, `"a/b~":1`, `"":1`): {"/x unknown_field", "/a~1b~0 unknown_field", "/ unknown_field"},
		with(`"tags":[{"name":"a","value":"b","z":1}]`, `"attachments":[{"content":"","size":1}]`): {
			"/tags/0/z unknown_field", "/attachments/0/size unknown_field"},
		// Row 7
		with(`"lane":1e999999`, `"on_unknown":-0`, `"scheduled_at":1.0`, `"html":1`+strings.Repeat("0", 100_000)): {
			"/lane invalid_field", "/on_unknown invalid_field", "/scheduled_at invalid_field", "/html invalid_field"},
		// Row 9
		with(`"html":"\u0000"`, `"cc":["a@example.com","b\u0000@example.com"]`, `"headers":{"X-A":"\u0000","X-\u0000":"1"}`,
			`"metadata":{"a":"\u0000"}`, `"tags":[{"name":"\u0000","value":"v"}]`, `"lane":"\u0000"`, `"scheduled_at":"\u0000"`,
			`"attachments":[{"content":"","filename":"\u0000","content_type":"\u0000","content_id":"\u0000"}]`): {
			"/html invalid_field", "/cc/1 invalid_field", "/headers/X-A invalid_field", "/headers/X-\x00 invalid_field",
			"/metadata/a invalid_field", "/tags/0/name invalid_field", "/lane invalid_field", "/scheduled_at invalid_field",
			"/attachments/0/filename invalid_field", "/attachments/0/content_type invalid_field", "/attachments/0/content_id invalid_field"},
		// Row 21
		`{"from":"a@example.com","text":"t"}`:            {"/to missing_recipient"},
		`{"from":"a@example.com","text":"t","to":""}`:    {"/to missing_recipient"},
		`{"from":"a@example.com","text":"t","to":null}`:  {"/to missing_recipient"},
		`{"from":"a@example.com","text":"t","to":[]}`:    {"/to missing_recipient"},
		`{"from":"a@example.com","text":"t","to":{}}`:    {"/to missing_recipient"},
		`{"from":"a@example.com","text":"t","to":5}`:     {"/to invalid_field"},
		`{"from":"a@example.com","text":"t","to":[[]]}`:  {"/to/0 invalid_field"},
		`{"from":"a@example.com","text":"t","to":[" "]}`: {"/to/0 invalid_address"},
		`{"from":null,"text":"t","to":"a@example.com"}`:  {"/from missing_field"},
		`{}`: {"/from missing_field", "/to missing_recipient", "/text empty_body"},
		// A bad element keeps its place.
		with(`"cc":["c@example.com",null,"x","d@example.com",7]`): {"/cc/1 invalid_field", "/cc/4 invalid_field", "/cc/2 invalid_address"},
		// What could not be read is not called empty as well.
		`{"from":1,"to":2,"html":3}`: {"/from invalid_field", "/to invalid_field", "/html invalid_field"},
		// Wrong types
		with(`"headers":["X-A: 1"]`, `"metadata":"x"`, `"tags":{}`, `"attachments":"x"`): {
			"/headers invalid_field", "/metadata invalid_field", "/tags invalid_field", "/attachments invalid_field"},
		with(`"headers":{"X-A":1,"X-B":null}`, `"metadata":{"a":[]}`, `"tags":["a",{"name":"a"}]`): {
			"/headers/X-A invalid_field", "/headers/X-B invalid_field", "/metadata/a invalid_field", "/tags/0 invalid_field", "/tags/1/value invalid_field"},
		// Resend's fields that are not offered
		with(`"topic_id":"x"`, `"react":{}`, `"scheduled_at":null`): {"/topic_id unsupported_field", "/react unsupported_field"},
		// A template that cannot be read
		with(`"template":"x"`): {"/template invalid_field"},
		with(`"template":{"variables":7,"name":"x"}`, `"lane":"fast"`): {
			"/template/variables invalid_field", "/template/name unknown_field", "/template/id missing_field", "/text invalid_field", "/lane invalid_field"},
		`{"template":{"id":"x","variables":{"a":{"b":[1e999,"\u0000"]}}}}`: {
			"/template/variables/a/b/0 invalid_field", "/template/variables/a/b/1 invalid_field", "/to missing_recipient"},
		// Files that cannot be had
		with(`"attachments":[{"filename":"a","path":"https://example.com/a","content":"YQ=="},{"path":""},{"path":5},{"filename":"a"},{"path":"ftp://example.com/a"}]`): {
			"/attachments/0/content invalid_attachment", "/attachments/1/path invalid_attachment", "/attachments/1/content invalid_attachment",
			"/attachments/2/path invalid_field", "/attachments/2/content invalid_attachment", "/attachments/3/content invalid_attachment",
			"/attachments/4/path invalid_attachment"},
		// Written, but empty
		with(`"scheduled_at":""`, `"expires_at":""`, `"lane":""`, `"on_unknown":""`): {
			"/scheduled_at invalid_scheduled_at", "/expires_at invalid_expires_at", "/lane invalid_field", "/on_unknown invalid_field"},
	}
	for body, want := range cases {
		if code, got := faults(t, body); code != message.CodeValidation || !slices.Equal(got, want) {
			t.Errorf("%.300s:\n got %s %q\nwant %q", body, code, got, want)
		}
	}
}

func TestUnknownFieldHasAHint(t *testing.T) {
	for name, want := range map[string]string{"replyTo": "reply_to", "Reply-To": "reply_to", "TO": "to", "scheduledAt": "scheduled_at"} {
		if _, err := read(with(`"` + name + `":"x"`)); err == nil || !strings.Contains(err.Error(), "did you mean "+want+"?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNullIsAbsent(t *testing.T) {
	names := slices.Concat(emailFields(), []string{"topic_id"})
	var members []string
	for _, name := range names {
		if !slices.Contains([]string{"from", "to", "subject", "text"}, name) {
			members = append(members, `"`+name+`":null`)
		}
	}
	got, err := read(with(members...))
	if err != nil {
		t.Fatal(err)
	}
	want, err := read(with())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestDecodeReschedule(t *testing.T) {
	good := map[string]time.Time{
		`{"scheduled_at":"2030-01-02T01:00:00+01:00"}`:          now().Add(24 * time.Hour),
		`{"id":"x","scheduled_at":"2030-01-01T00:00:00.0015Z"}`: now().Add(time.Millisecond),
		`{"scheduled_at":"2020-01-01T00:00:00Z"}`:               {},
	}
	for body, want := range good {
		if got, err := DecodeReschedule(strings.NewReader(body), message.DefaultLimits(), now()); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %s, %v", body, got, err)
		}
	}
	bad := map[string]string{
		`{}`: "/scheduled_at missing_field", `{"scheduled_at":null}`: "/scheduled_at missing_field", `{"scheduled_at":5}`: "/scheduled_at invalid_field",
		`{"scheduled_at":"in 1 hour"}`: "/scheduled_at invalid_scheduled_at", `{"scheduled_at":""}`: "/scheduled_at invalid_scheduled_at",
		`{"scheduledAt":"2031-01-01T00:00:00Z","scheduled_at":"2030-06-01T00:00:00Z"}`: "/scheduledAt unknown_field",
		`[]`: " invalid_json", `{"scheduled_at":"` + strings.Repeat("x", 5000) + `"}`: " body_too_large",
	}
	for body, want := range bad {
		_, err := DecodeReschedule(strings.NewReader(body), message.DefaultLimits(), now())
		var e *message.Error
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Pointer+" "+string(e.Fields[0].Code) != want {
			t.Errorf("%.100s: got %v, want %s", body, err, want)
		}
	}
}
