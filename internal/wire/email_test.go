package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
)

// now is before every time the tests write as being in the future.
func now() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

func read(body string) (*message.Message, error) {
	d, _, err := ReadEmail(strings.NewReader(body), message.DefaultLimits(), now())
	if err != nil {
		return nil, err
	}
	return message.DefaultLimits().Validate(d, now())
}

// faults returns the code of a refusal and its faults as "pointer code".
func faults(t *testing.T, body string) (message.Code, []string) {
	t.Helper()
	_, err := read(body)
	var e *message.Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200s: got %v, want a message.Error", body, err)
	}
	var list []string
	for _, f := range e.Fields {
		if f.Detail == "" {
			t.Errorf("%.200s: %s %s says nothing", body, f.Pointer, f.Code)
		}
		list = append(list, f.Pointer+" "+string(f.Code))
	}
	return e.Code, list
}

// with is a good email with more members.
func with(members ...string) string {
	const good = `{"from":"a@example.com","to":"b@example.com","subject":"s","text":"t"`
	return strings.Join(append([]string{good}, members...), ",") + "}"
}

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

func TestEveryDraftFieldIsHashed(t *testing.T) {
	seen := map[[32]byte]string{Hash(&message.Draft{}): "nothing"}
	fields := reflect.TypeFor[message.Draft]()
	for i := range fields.NumField() {
		var d message.Draft
		switch v := reflect.ValueOf(&d).Elem().Field(i); v.Interface().(type) {
		case string:
			v.SetString("x")
		case map[string]string:
			v.Set(reflect.ValueOf(map[string]string{"x": ""}))
		default:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			if v.Type().Elem().Kind() == reflect.String {
				v.Index(0).SetString("x")
			}
		}
		h, name := Hash(&d), fields.Field(i).Name
		if other, ok := seen[h]; ok && name != "Attachments" {
			t.Errorf("%s hashes like %s", name, other)
		}
		seen[h] = name
	}
}

func TestHashSeesEveryDifference(t *testing.T) {
	drafts := []message.Draft{
		{To: []string{"ab"}}, {To: []string{"a", "b"}}, {Cc: []string{"ab"}}, {To: []string{"a"}, Cc: []string{"b"}},
		{Subject: "a", Text: "b"}, {Subject: "ab"}, {Headers: []message.Header{{Name: "a", Value: "b"}}},
		{Tags: []message.Tag{{Name: "a", Value: "b"}}}, {Metadata: map[string]string{"a": "b"}},
		{Tags: []message.Tag{{Name: "a", Value: "b"}, {Name: "c"}}}, {Tags: []message.Tag{{Name: "c"}, {Name: "a", Value: "b"}}},
		{Attachments: []message.DraftAttachment{{Data: []byte("ab")}}}, {Attachments: []message.DraftAttachment{{Data: []byte("a")}, {Data: []byte("b")}}},
		{Attachments: []message.DraftAttachment{{Filename: "ab"}}}, {Attachments: []message.DraftAttachment{{}}},
	}
	seen := map[[32]byte]int{}
	for i := range drafts {
		h := Hash(&drafts[i])
		if j, ok := seen[h]; ok {
			t.Errorf("%+v and %+v have one hash", drafts[i], drafts[j])
		}
		seen[h] = i
	}
}

func TestHashIgnoresHowItIsWritten(t *testing.T) {
	same := []string{
		with(`"headers":{"X-A":"1","X-B":"2"}`, `"attachments":[{"content":"aGk/"}]`, `"metadata":{"a":"1","b":"2"}`),
		with(`"metadata":{"b":"2","a":"1"}`, `"attachments":[{"content":[104,105,63]}]`, `"headers":{"X-B":"2","X-A":"1"}`, `"cc":null`),
		strings.Replace(with(`"headers" : {"X-A":"1","X-B":"2"} `, `"attachments":[{"content":"aGk\/","filename":false}]`, `"metadata":{"\u0061":"1","b":"2"}`),
			`"b@example.com"`, `["b@example.com"]`, 1),
		with(`"headers":{"X-A":"1","X-B":"2"}`, `"attachments":[{"content":{"type":"Buffer","data":[104,105,63]}}]`,
			`"metadata":{"a":"1","b":"2"}`, `"topic_id":null`, `"bcc":[]`),
	}
	var first [32]byte
	for i, body := range same {
		_, hash, err := ReadEmail(strings.NewReader(body), message.DefaultLimits(), now())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = hash
		}
		if hash != first {
			t.Errorf("%s: another hash", body)
		}
	}
}

func TestNotJSON(t *testing.T) {
	bodies := map[string]string{
		"row 1: empty": "", "row 1: blank": " \n", "row 1: null": "null", "row 1: array": "[]", "row 1: string": `"x"`,
		"row 1: number": "1", "row 1: true": "true",
		"row 2: truncated": `{"from":"a@exa`, "row 2: truncated between": `{"from":"a@example.com",`, "row 2: trailing": with() + "x",
		"row 2: trailing brace": with() + "}", "row 2: two documents": with() + with(), "row 2: comment": `/* */` + with(),
		"row 2: inner comment": with(`//`), "row 2: NaN": with(`"lane":NaN`), "row 2: single quotes": `{'from':'a'}`,
		"row 2: trailing comma": `{"from":"a",}`, "row 2: bare name": `{from:"a"}`, "row 2: raw line break": with("\"html\":\"a\nb\""),
		"row 2: leading zero": with(`"lane":01`), "row 2: wrong bracket": with(`"tags":[}`), "row 2: bad escape": with(`"html":"\x"`),
		"row 8: lone surrogate": with(`"html":"\ud800"`), "row 8: swapped surrogates": with(`"html":"\udc00\ud800"`),
		"row 8: lone surrogate in a name": with(`"\ud800":1`), "row 8: invalid UTF-8": with("\"html\":\"\xff\""),
		"row 8: overlong": with("\"html\":\"\xc0\xaf\""), "row 8: encoded surrogate": with("\"html\":\"\xed\xa0\x80\""),
		"row 8: BOM": "\xef\xbb\xbf" + with(), "row 8: UTF-16": "\xff\xfe{\x00}\x00", "row 8: UTF-16 without BOM": "{\x00}\x00",
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			if code, list := faults(t, body); code != message.CodeInvalidJSON || len(list) != 1 {
				t.Errorf("got %s %v", code, list)
			}
		})
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	_, err := read(with(`"headers":{"X-A":nope}`))
	var e *message.Error
	if !errors.As(err, &e) || e.Fields[0].Pointer != "/headers/X-A" || !strings.Contains(e.Detail, "at byte 88") {
		t.Errorf("got %v", err)
	}
}

func TestRow3DuplicateKeys(t *testing.T) {
	for body, want := range map[string]string{
		with(`"to":"c@example.com"`):                         "/to duplicate_key",
		with(`"\u0074o":"c@example.com"`):                    "/to duplicate_key",
		with(`"headers":{"X-A":"1","X-A":"2"}`):              "/headers/X-A duplicate_key",
		with(`"metadata":{"a/b":"1","a/b":"2"}`):             "/metadata/a~1b duplicate_key",
		with(`"tags":[{"name":"a","value":"b","name":"c"}]`): "/tags/0/name duplicate_key",
		with(`"template":{"id":1,"id":2}`):                   "/template/id duplicate_key",
	} {
		if code, list := faults(t, body); code != message.CodeDuplicateKey || !slices.Equal(list, []string{want}) {
			t.Errorf("%s: got %s %v", body, code, list)
		}
	}
}

// The faults of a request that is JSON: all of them at once, each with its
// place.
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
		with(`"template":{"id":"x"}`, `"topic_id":"x"`, `"react":{}`, `"attachments":[{"filename":"a","path":"https://example.com/a"}]`): {
			"/template unsupported_field", "/topic_id unsupported_field", "/react unsupported_field",
			"/attachments/0/path unsupported_field", "/attachments/0/content invalid_attachment"},
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

func TestRow47AttachmentContent(t *testing.T) {
	bad := map[string]string{
		`"!!!!"`: "", `"YQ"`: "", `"YQ="`: "", `"YQ==="`: "", `"YQ==YQ=="`: "", `"=YQ="`: "", `"YR=="`: "", `"_-8="`: "",
		`"YWFh\nYWFh"`: "", `"YWFh YWFh"`: "", `"data:text/plain;base64,YQ=="`: "", `5`: "", `true`: "", `null`: "",
		`[1,256]`: "/1", `[-1]`: "/0", `[1.0]`: "/0", `[1e2]`: "/0", `[-0]`: "/0", `["a"]`: "/0", `[1,[2],3]`: "/1", `[1000]`: "/0", `[null]`: "/0",
		`{}`: "", `{"type":"Buffer","data":"YQ=="}`: "/data", `{"type":"Blob","data":[1]}`: "", `{"type":"Buffer","data":[1,999]}`: "/data/1",
	}
	for content, at := range bad {
		code, got := faults(t, with(`"attachments":[{"filename":"a","content":`+content+`}]`))
		if want := []string{"/attachments/0/content" + at + " invalid_attachment"}; code != message.CodeValidation || !slices.Equal(got, want) {
			t.Errorf("%s: got %s %v, want %v", content, code, got, want)
		}
	}
	for content, want := range map[string]string{`""`: "", `"YQ=="`: "a", `"\u0059Q=="`: "a", `[]`: "", `[0,255]`: "\x00\xff", `"+\/8="`: "\xfb\xff"} {
		m, err := read(with(`"attachments":[{"content":` + content + `}]`))
		if err != nil || string(m.Attachments[0].Data) != want {
			t.Errorf("%s: got %v, %v", content, m, err)
		}
	}
}

func TestInlineContentIDIsTheOldName(t *testing.T) {
	m, err := read(with(`"attachments":[{"content":"","inline_content_id":"a","content_id":null}]`))
	if err != nil || m.Attachments[0].ContentID != "a" || m.Attachments[0].Disposition != "inline" {
		t.Errorf("got %+v, %v", m, err)
	}
	_, got := faults(t, with(`"attachments":[{"content":"","inline_content_id":"a","content_id":"b"}]`))
	if !slices.Equal(got, []string{"/attachments/0/content_id invalid_attachment"}) {
		t.Errorf("got %v", got)
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
	names := slices.Concat(emailFields(), []string{"template", "topic_id"})
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

// Hostile bodies end quickly and cost little memory beyond their own size.
func TestHostileBodies(t *testing.T) {
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	numbered := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	const mega = 1 << 20
	cases := []struct {
		name, body string
		code       message.Code
		megabytes  uint64 // allocated in all, mostly for reading the body
	}{
		{"row 6: deep array", strings.Repeat("[", 100_000), message.CodeTooDeep, 10},
		{"row 6: deep array, closed", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), message.CodeTooDeep, 10},
		{"row 6: deep object", with(strings.Repeat(`"a":{`, 100_000)), message.CodeTooDeep, 10},
		{"row 6: deep in content", with(`"attachments":[{"content":` + strings.Repeat("[", 100_000)), message.CodeTooDeep, 10},
		{"row 6: deep in to", with(`"cc":` + strings.Repeat("[", 100_000)), message.CodeTooDeep, 10},
		{"million unknown names", with(many(mega, numbered(`"n%d":1,`)) + `"x":1`), message.CodeValidation, 80},
		{"million headers", with(`"headers":{` + many(mega, numbered(`"X-%d":"1",`)) + `"x":"1"}`), message.CodeValidation, 80},
		{"million metadata", with(`"metadata":{` + many(mega, numbered(`"X-%d":"1",`)) + `"x":"1"}`), message.CodeValidation, 80},
		{"million recipients", with(`"cc":[` + strings.Repeat(`"c@example.com",`, mega) + `"d@example.com"]`), message.CodeValidation, 80},
		{"row 57: 10,000 tags", with(`"tags":[` + strings.Repeat(`{"name":"a","value":"b"},`, 10_000) + `{}]`), message.CodeValidation, 10},
		{"row 49: 1,000 attachments", with(`"attachments":[` + strings.Repeat(`{"content":"YQ=="},`, 1_000) + `{"content":""}]`), message.CodeValidation, 10},
		{"strings in content", with(`"attachments":[{"content":[` + strings.Repeat(`"a",`, mega) + `1]}]`), message.CodeValidation, 20},
		{"long unknown name", with(`"` + strings.Repeat("n", 10*mega) + `":1`), message.CodeValidation, 80},
		{"long number", with(`"lane":` + strings.Repeat("9", 10*mega)), message.CodeValidation, 80},
		{"row 22: 51 recipients", with(`"cc":[` + strings.Repeat(`"c@example.com",`, 49) + `"d@example.com"]`), message.CodeValidation, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, start := allocated(), time.Now()
			_, err := read(c.body)
			took, used := time.Since(start), (allocated()-before)/mega
			var e *message.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("got %.300v", err)
			}
			if len(err.Error()) > 20_000 || used > c.megabytes || took > 5*time.Second {
				t.Errorf("an answer of %d bytes, %d MB allocated, %s", len(err.Error()), used, took)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestRow10BodyLimit(t *testing.T) {
	limits := message.Limits{MessageBytes: 100}
	body := func(n int) io.Reader {
		return strings.NewReader(`{"x":"` + strings.Repeat("y", n-8) + `"}`)
	}
	var e *message.Error
	if _, _, err := DecodeEmail(body(144), limits); !errors.As(err, &e) || e.Code != message.CodeValidation {
		t.Errorf("at the limit: %v", err)
	}
	if _, _, err := DecodeEmail(body(145), limits); !errors.As(err, &e) || e.Code != message.CodeBodyTooLarge {
		t.Errorf("1 byte over: %v", err)
	}
	if got := BodyLimit(message.DefaultLimits()); got != 36<<20 {
		t.Errorf("the default limit is %d", got)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestReadErrorIsPassedOn(t *testing.T) {
	if _, _, err := ReadEmail(brokenReader{os.ErrDeadlineExceeded}, message.DefaultLimits(), now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
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
