package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// refused is a body that must be refused, with the code of the answer; or, for
// faults of fields, with one fault that must be among those named.
type refused struct {
	name   string
	body   string
	status int
	code   string
	fault  string
}

func invalid(name, body, fault string) refused {
	return refused{name, body, 422, "validation_error", fault}
}

func unreadable(name, body, code string) refused { return refused{name, body, 400, code, ""} }

// list is n JSON strings made by f.
func list(n int, f func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = `"` + f(i) + `"`
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func address(i int) string { return fmt.Sprintf("r%d@example.com", i) }

func unreadableBodies() []refused {
	return []refused{
		unreadable("empty", "", "invalid_json"),
		unreadable("null", "null", "invalid_json"),
		unreadable("list", "[]", "invalid_json"),
		unreadable("string", `"x"`, "invalid_json"),
		unreadable("number", "1", "invalid_json"),
		unreadable("cut off", email()[:30], "invalid_json"),
		unreadable("text behind", email()+"x", "invalid_json"),
		unreadable("two documents", email()+email(), "invalid_json"),
		unreadable("comment", "/* hi */"+email(), "invalid_json"),
		unreadable("NaN", email(`"lane":NaN`), "invalid_json"),
		unreadable("duplicate key", email()[:1]+`"to":"x@example.com",`+email()[1:], "duplicate_key"),
		unreadable("deep", strings.Repeat("[", 100_000), "json_too_deep"),
		unreadable("deep in a field", email(`"metadata":`+strings.Repeat(`{"a":`, 100_000)), "json_too_deep"),
		unreadable("lone surrogate", email(`"text":"\ud800"`), "invalid_json"),
		unreadable("not UTF-8", email("\"text\":\"\xff\""), "invalid_json"),
		unreadable("overlong", email("\"text\":\"\xc0\xaf\""), "invalid_json"),
		unreadable("byte order mark", "\xef\xbb\xbf"+email(), "invalid_json"),
		unreadable("UTF-16", "\xff\xfe{\x00}\x00", "invalid_json"),
	}
}

func wrongFields() []refused {
	return []refused{
		invalid("other case", `{"To":"b@example.com"}`, "/To unknown_field"),
		invalid("capitals", email(`"TEXT":"x"`), "/TEXT unknown_field"),
		invalid("unknown", email(`"priority":1`), "/priority unknown_field"),
		invalid("documented by Resend, not offered", email(`"topic_id":"x"`), "/topic_id unsupported_field"),
		invalid("huge number", email(`"lane":1e999999`), "/lane invalid_field"),
		invalid("long number", email(`"lane":1`+strings.Repeat("0", 10_000)), "/lane invalid_field"),
		invalid("number for a string", email(`"subject":1.0`), "/subject invalid_field"),
		invalid("NUL", email(`"text":"a\u0000b"`), "/text invalid_field"),
		invalid("NUL in metadata", email(`"metadata":{"a":"\u0000"}`), "/metadata/a invalid_field"),
		invalid("NUL in an address", email(`"to":"a\u0000@example.com"`), "/to invalid_field"),
		invalid("unknown lane", email(`"lane":"fastest"`), "/lane invalid_field"),
		invalid("unknown choice", email(`"on_unknown":"ask"`), "/on_unknown invalid_field"),
		invalid("large metadata", email(`"metadata":{"a":"`+strings.Repeat("x", 1<<20)+`"}`), "/metadata too_large"),
		invalid("dots in a metadata key", email(`"metadata":{"a.b":"x"}`), "/metadata/a.b invalid_field"),
		invalid("21 tags", tagged(21), "/tags too_large"),
		invalid("10,000 tags", tagged(10_000), ""),
	}
}

func tagged(n int) string {
	return email(`"tags":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a","value":"b"},`, n), ",") + `]`)
}

func wrongPeople() []refused {
	rows := []refused{
		invalid("no to", `{"from":"a@example.com","text":"hi"}`, "/to missing_recipient"),
		invalid("empty to", email(`"to":""`), "/to missing_recipient"),
		invalid("null to", email(`"to":null`), "/to missing_recipient"),
		invalid("empty list", email(`"to":[]`), "/to missing_recipient"),
		invalid("object to", email(`"to":{}`), "/to missing_recipient"),
		invalid("51 recipients", email(`"to":`+list(20, address), `"cc":`+list(20, address), `"bcc":`+list(11, address)), "/to too_many_recipients"),
		invalid("no from", `{"to":"b@example.com","text":"hi"}`, "/from missing_field"),
	}
	for _, bad := range []string{
		"a@b@example.com", "@example.com", "a@", "a..b@example.com", ".a@example.com", "a b@example.com", "plain",
		strings.Repeat("l", 65) + "@example.com", "a@" + strings.Repeat("d", 64) + ".com", "a@" + strings.Repeat("d.", 126) + "com",
		`\"a b\"@example.com`, `\"a@b\"@example.com`, `\"t@example.com> ORCPT=admin@admin.com\"@example.com`,
		`a@example.com\r\nRCPT TO:<evil@example.com>`, `a@example.com\r\nBcc: evil@example.com`,
		"Bob <a@example.com>, <b@example.com>", "a@[127.0.0.1]", "a@[IPv6:::1]", "a@localhost", "a@io",
		"a(c)@example.com", "a@ example.com", "a＠example.com", "a@example．com", "a@exa\u200bmple.com", "a@exa\u202emple.com",
	} {
		rows = append(rows,
			invalid("to "+bad, email(`"to":["ok@example.com","`+bad+`"]`), "/to/1 invalid_address"),
			invalid("from "+bad, email(`"from":"`+bad+`"`), "/from invalid_address"),
			invalid("reply_to "+bad, email(`"reply_to":["`+bad+`"]`), "/reply_to/0 invalid_address"))
	}
	return append(rows, invalid("name with a line", email(`"cc":["Eve\r\nBcc: x@example.com <e@example.com>"]`), "/cc/0 invalid_address"))
}

func wrongContent() []refused {
	rows := []refused{
		invalid("no body", `{"from":"a@example.com","to":"b@example.com","subject":"s"}`, "/text empty_body"),
		invalid("blank body", email(`"text":" \n\t "`, `"html":"  "`), "/text empty_body"),
		invalid("subject with CR", email(`"subject":"a\rb"`), "/subject invalid_header"),
		invalid("subject with LF", email(`"subject":"a\nBcc: x@example.com"`), "/subject invalid_header"),
		invalid("long subject", email(`"subject":"`+strings.Repeat("s", 10_000)+`"`), "/subject header_too_large"),
		invalid("header value 100 kB", email(`"headers":{"X-A":"`+strings.Repeat("v", 100_000)+`"}`), "/headers/X-A header_too_large"),
		invalid("header with CRLF", email(`"headers":{"X-A":"a\r\nBcc: x@example.com"}`), "/headers/X-A invalid_header"),
		invalid("past expiry", email(`"expires_at":"2001-01-01T00:00:00Z"`), "/expires_at invalid_expires_at"),
	}
	for _, name := range []string{"Bcc", "DKIM-Signature", "Received", "From", "Message-ID", "Date", "Subject", "content-type"} {
		rows = append(rows, invalid("header "+name, email(`"headers":{"`+name+`":"x"}`), "/headers/"+name+" reserved_header"))
	}
	for _, name := range []string{"X A", "X:A", "X\\r\\nA", "Ä", ""} {
		rows = append(rows, refused{"header name " + name, email(`"headers":{"` + name + `":"x"}`), 422, "validation_error", ""})
	}
	for _, at := range []string{"9999-01-01T00:00:00Z", "2030-01-01T00:00:00", "2030-06-30T23:59:60Z", "1e18", "in 1 hour"} {
		rows = append(rows, invalid("scheduled "+at, email(`"scheduled_at":"`+at+`"`), "/scheduled_at invalid_scheduled_at"))
	}
	return rows
}

func wrongAttachments() []refused {
	attached := func(members string) string { return email(`"attachments":[{` + members + `}]`) }
	rows := []refused{
		invalid("no list", email(`"attachments":"x"`), "/attachments invalid_field"),
		invalid("number beyond a byte", attached(`"filename":"a","content":[1,256]`), "/attachments/0/content/1 invalid_attachment"),
		invalid("101 of them", email(`"attachments":[`+strings.TrimSuffix(strings.Repeat(`{"filename":"a","content":"aGk="},`, 101), ",")+`]`), "/attachments too_large"),
	}
	for _, content := range []string{"not base64!", "aGk", "aG=k", "_-8=", "aGk=aGk="} {
		rows = append(rows, invalid("content "+content, attached(`"filename":"a","content":"`+content+`"`), "/attachments/0/content invalid_attachment"))
	}
	for _, name := range []string{`a\r\nX: y`, strings.Repeat("n", 5000), `a\u0000b`} {
		rows = append(rows, refused{"filename " + name[:4], attached(`"filename":"` + name + `","content":"aGk="`), 422, "validation_error", ""})
	}
	for _, media := range []string{`text/html; x=\"\r\n`, "multipart/mixed", "nonsense"} {
		rows = append(rows, invalid("type "+media, attached(`"filename":"a","content":"aGk=","content_type":"`+media+`"`), "/attachments/0/content_type invalid_attachment"))
	}
	return rows
}

func TestBadBodiesAreRefusedAndStoreNothing(t *testing.T) {
	w := newWorld(t)
	for _, row := range slices.Concat(unreadableBodies(), wrongFields(), wrongPeople(), wrongContent(), wrongAttachments()) {
		t.Run(row.name, func(t *testing.T) {
			r, _ := http.NewRequest("POST", "http://"+w.addr+"/v1/emails", strings.NewReader(row.body))
			a := w.send(r, "Authorization", "Bearer "+keyA, "Content-Type", "application/json", "Idempotency-Key", "bad")
			a.want(t, row.status, row.code)
			if row.fault != "" && !slices.Contains(a.faults(), row.fault) {
				t.Errorf("faults %v, want %s among them", a.faults(), row.fault)
			}
		})
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
	w.do("POST", "/v1/emails", email(), "Idempotency-Key", "bad").want(t, 202, "") // and no key was spent
}

func TestWhatCannotBeReadIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		"[]": "the body must be a JSON object", `{"to":"a@example.com","to":"a@example.com"}`: "/to: a name is given twice in one object",
	} {
		if got := w.do("POST", "/v1/emails", body).text("message"); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/v1/emails", `{"from":"x","to":["b@example.com","y"],"subject":"a\nb","Text":"hi","lane":"z"}`)
	a.want(t, 422, "validation_error")
	want := []string{"/from invalid_address", "/to/1 invalid_address", "/subject invalid_header", "/Text unknown_field", "/lane invalid_field"}
	for _, fault := range want {
		if !slices.Contains(a.faults(), fault) {
			t.Errorf("faults %v, want %s among them", a.faults(), fault)
		}
	}
	if !strings.Contains(a.text("message"), "/subject: ") {
		t.Errorf("message %q names no field", a.text("message"))
	}
}

func TestStrangeButGoodBodiesAreAccepted(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"IDN domain":            email(`"to":"jeff@臺網中心.tw"`),
		"UTF-8 local part":      email(`"to":"jürgen@example.com"`),
		"homograph domain":      email(`"from":"a@аpple.com"`),
		"duplicates in case":    email(`"to":["b@example.com","B@example.com"]`, `"cc":["b@Example.com"]`),
		"vertical tab, NEL":     email(`"subject":"a\u000b\u0085\u2028b"`),
		"long subject":          email(`"subject":"` + strings.Repeat("ü", 1000) + `"`),
		"dots and bare ends":    email(`"text":"\n.\n\r\n.\r\n..\r\r\n\r"`),
		"1 MB without a line":   email(`"text":"` + strings.Repeat("x", 1<<20) + `"`),
		"scripts":               email(`"html":"<script>alert(1)</script><svg onload=x>"`),
		"bytes as numbers":      email(`"attachments":[{"filename":"a","content":[104,105]}]`),
		"hostile but harmless":  email(`"metadata":{"a":"{{7*7}} ${7*7} <%= %> %s%n"}`),
		"null is absent":        email(`"cc":null`, `"html":null`, `"scheduled_at":null`),
		"exactly 50 recipients": email(`"to":` + list(50, address)),
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", "/v1/emails", body)
			a.want(t, 202, "")
			w.do("GET", "/v1/emails/"+a.text("id"), "").want(t, 200, "")
		})
	}
}

func TestMediaTypesAndEncodings(t *testing.T) {
	w := newWorld(t)
	for _, media := range []string{"-", "", "text/plain", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/jsonx", ";"} {
		w.do("POST", "/v1/emails", email(), "Content-Type", media).want(t, 415, "unsupported_media_type")
	}
	for _, encoding := range []string{"gzip", "br", "gzip, gzip", "identity, gzip"} {
		a := w.do("POST", "/v1/emails", email(), "Content-Encoding", encoding)
		if a.want(t, 415, "unsupported_media_type"); a.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: header %v", encoding, a.header)
		}
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
	w.do("POST", "/v1/emails", email(), "Content-Type", "Application/JSON; charset=UTF-8", "Content-Encoding", "identity").want(t, 202, "")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/email", "/v2/emails", "/v1/emails/", "//v1/emails", "/v1/./emails", "/v1/emails/../emails", "/metrics", "/favicon.ico"} {
		w.do("GET", path, "").want(t, 404, "not_found")
	}
	for method, allow := range map[string]string{"PUT": "GET, HEAD, POST", "TRACE": "GET, HEAD, POST", "DELETE": "GET, HEAD, POST", "OPTIONS": "GET, HEAD, POST", "XYZZY": "GET, HEAD, POST"} {
		a := w.do(method, "/v1/emails", "")
		if a.want(t, 405, "method_not_allowed"); a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", method, a.header.Get("Allow"), allow)
		}
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	for name, value := range map[string]string{"none": "-", "empty": "", "other scheme": "Basic " + keyA, "no scheme": keyA, "no key": "Bearer "} {
		for _, path := range []string{"/v1/emails", "/v1/emails?api_key=" + keyA + "&key=" + keyA} {
			a := w.do("POST", path, email(), "Authorization", value)
			if a.want(t, 401, "missing_api_key"); a.header.Get("WWW-Authenticate") == "" || a.text("name") != "missing_api_key" {
				t.Errorf("%s: %v %s", name, a.header, a.body)
			}
		}
	}
	for _, key := range []string{"wrong", keyA + "x", keyA[:5], strings.ToUpper(keyA), strings.Repeat("k", 10_000)} {
		if a := w.do("POST", "/v1/emails", email(), "Authorization", "Bearer "+key); a.text("name") != "invalid_api_key" {
			a.want(t, 403, "invalid_api_key")
		}
	}
	r, _ := http.NewRequest("GET", "http://"+w.addr+"/v1/emails", nil)
	r.Header["Authorization"] = []string{"Bearer " + keyA, "Bearer " + keyB}
	w.send(r).want(t, 403, "invalid_api_key")
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
	w.do("GET", "/v1/emails", "", "Authorization", "bearer "+keyA).want(t, 200, "")
}

func TestProblemsComeAsTheCallerWishes(t *testing.T) {
	w := newWorld(t)
	for accept, want := range map[string]string{
		"-": "application/json", "*/*": "application/json", "application/json": "application/json",
		"application/problem+json": "application/problem+json", "text/html, application/problem+json;q=0.9": "application/problem+json",
	} {
		if a := w.do("GET", "/v1/emails/x", "", "Accept", accept); a.header.Get("Content-Type") != want {
			t.Errorf("Accept %s: %q, want %q", accept, a.header.Get("Content-Type"), want)
		}
	}
}

func TestATooLargeBodyIsRefused(t *testing.T) {
	limits := message.DefaultLimits()
	limits.MessageBytes = 100_000
	w := newWorld(t, limited(limits))
	fits := email(`"text":"` + strings.Repeat("x", 90_000) + `"`)
	w.do("POST", "/v1/emails", fits).want(t, 202, "")
	w.do("POST", "/v1/emails", email(`"text":"`+strings.Repeat("x", 110_000)+`"`)).want(t, 422, "validation_error")
	padded := fits + strings.Repeat(" ", 145_000-len(fits))
	w.do("POST", "/v1/emails", padded).want(t, 202, "")
	w.do("POST", "/v1/emails", padded+" ").want(t, 413, "body_too_large")
	if n := w.stored(); n != 2 {
		t.Errorf("%d messages stored, want 2", n)
	}
}

func TestWhatIsNearAPathThatDoesNotExist(t *testing.T) {
	w := newWorld(t)
	for path, near := range map[string]string{
		"/emails": "GET /v1/emails?", "/emails/x/events": "GET /v1/emails/{id}/events?", "/v1//emails": "GET /v1/emails?", "/v1/templates/": "GET /v1/templates?",
		"/v1/v1/emails/x": "GET /v1/emails/{id}?", "/nowhere": "", "/v1": "", "/v1/": "", "//": "", "/v1/emails/x/y": "", "/v1/healthz": "", "/healthz/": "",
	} {
		a := w.do(http.MethodGet, path, "")
		a.want(t, 404, "not_found")
		want := "there is nothing at this path"
		if near != "" {
			want += "; did you mean " + near
		}
		if got := a.text("detail"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestAFaultOfTheWholeBodyIsToldWithoutAPlace(t *testing.T) {
	a := newWorld(t).do(http.MethodPost, "/v1/emails/batch", "[]")
	a.want(t, 422, "validation_error")
	if got := a.text("message"); got != "1 field is not right; give at least one email" {
		t.Error(got)
	}
}

func TestParametersOfCallsThatTakeNone(t *testing.T) {
	w := newWorld(t)
	id := w.post(`"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)
	template := w.do(http.MethodPost, "/v1/templates", `{"name":"t","alias":"t","html":"x"}`).text("id")
	for _, c := range [][3]string{
		{"POST", "/v1/emails/" + id + "/cancel?dry_run=true", ""}, {"POST", "/v1/emails/" + id + "/retry?dry_run=true", ""},
		{"PATCH", "/v1/emails/" + id + "?dry_run=true", `{"scheduled_at":"2020-01-01T00:00:00Z"}`}, {"GET", "/v1/emails/" + id + "?x=", ""},
		{"GET", "/v1/emails/" + id + "/attachments/" + id + "?x=1", ""}, {"POST", "/v1/api-keys?tenant=shop", `{"name":"k"}`},
		{"POST", "/v1/tenants?dry_run=true", `{"name":"shop"}`}, {"POST", "/v1/templates?dry_run=true", `{"name":"u","html":"x"}`},
		{"GET", "/v1/templates/t?version=published", ""}, {"PATCH", "/v1/templates/t?x=1", `{"name":"u"}`}, {"POST", "/v1/templates/t/publish?x=1", ""},
		{"POST", "/v1/templates/t/duplicate?x=1", ""}, {"POST", "/v1/templates/t/render?version=published", `{}`}, {"DELETE", "/v1/templates/t?dry_run=true", ""},
	} {
		a := w.do(c[0], c[1], c[2])
		if a.want(t, 422, "validation_error"); !strings.Contains(strings.Join(a.faults(), " "), "unknown_field") {
			t.Errorf("%s %s: %v", c[0], c[1], a.faults())
		}
	}
	if got := w.do(http.MethodGet, "/v1/emails/"+id, "").text("status"); got != "scheduled" {
		t.Errorf("the email is %s", got)
	}
	if a := w.do(http.MethodGet, "/v1/templates", ""); strings.Count(string(a.body), `"id"`) != 1 || !strings.Contains(string(a.body), template) {
		t.Errorf("templates: %s", a.body)
	}
	if a := w.do(http.MethodGet, "/v1/api-keys", ""); strings.Contains(string(a.body), `"name":"k"`) {
		t.Errorf("keys: %s", a.body)
	}
}

func TestFiltersThatAreEmpty(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/emails?status=", "/v1/emails.csv?status=", "/v1/emails?lane=", "/v1/api-keys?tenant="} {
		w.do(http.MethodGet, path, "").want(t, 422, "validation_error")
	}
	w.do(http.MethodDelete, "/v1/api-keys/01990000-0000-7000-8000-000000000000?tenant=", "").want(t, 422, "validation_error")
}
