package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// batch is a body of emails.
func batch(emails ...string) string { return "[" + strings.Join(emails, ",") + "]" }

// receipt is what a batch was answered with.
type receipt struct {
	Data   []struct{ ID string }
	Errors []struct {
		Index   int
		Message string
	}
}

func (w *world) batch(body string, headers ...string) (answer, receipt) {
	w.t.Helper()
	a := w.do("POST", "/v1/emails/batch", body, headers...)
	var r receipt
	if a.status == 202 {
		if err := json.Unmarshal(a.body, &r); err != nil {
			w.t.Fatal(err)
		}
	}
	return a, r
}

const validation, permissive = "X-Batch-Validation", "permissive"

func TestABatchIsAcceptedInItsOrder(t *testing.T) {
	w := newWorld(t)
	soon := `"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`
	file := `"attachments":[{"filename":"a.txt","content":"aGk="}]`
	for _, mode := range []string{"-", "strict"} {
		a, r := w.batch(batch(email(`"subject":"0"`), email(`"subject":"1"`, soon), email(`"subject":"2"`, file)), validation, mode)
		a.want(t, 202, "")
		if len(r.Data) != 3 || strings.Contains(string(a.body), "errors") {
			t.Fatalf("%s", a.body)
		}
		for i, want := range []string{"queued", "scheduled", "queued"} {
			got := w.do("GET", "/v1/emails/"+r.Data[i].ID, "")
			if got.text("subject") != fmt.Sprint(i) || got.text("status") != want || len(got.json["attachments"].([]any)) != i/2 {
				t.Errorf("email %d: %s", i, got.body)
			}
		}
	}
}

func TestOneFaultRefusesAStrictBatchAndEveryFaultIsNamed(t *testing.T) {
	w := newWorld(t)
	a, _ := w.batch(batch(email(), email(`"to":["no"]`, `"subject":"a\nb"`), "7", email(`"too":1`, `"text":7`)))
	a.want(t, 422, "validation_error")
	want := []string{"/1/to/0 invalid_address", "/1/subject invalid_header", "/2 invalid_field", "/3/too unknown_field", "/3/text invalid_field"}
	got := a.faults()
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("faults %v, want %v", got, want)
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d stored", n)
	}
}

func TestAPermissiveBatchReportsByIndex(t *testing.T) {
	w := newWorld(t)
	body := batch(email(`"to":["ok@example.com","no"]`), email(`"subject":"good"`), `{"from":"a@example.com"}`, email(`"lane":"fast"`), "null", email())
	a, r := w.batch(body, validation, permissive, "Idempotency-Key", "k")
	if a.want(t, 202, ""); len(r.Data) != 2 || len(r.Errors) != 4 || w.stored() != 2 {
		t.Fatalf("%s", a.body)
	}
	for i, want := range []struct {
		index int
		says  string
	}{{0, "/to/1: "}, {2, "/to: "}, {3, "/lane: "}, {4, "must be an object"}} {
		if e := r.Errors[i]; e.Index != want.index || !strings.Contains(e.Message, want.says) {
			t.Errorf("error %d: %+v, want %v", i, e, want)
		}
	}
	again, _ := w.batch(body, validation, permissive, "Idempotency-Key", "k")
	if again.header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(a.body) || w.stored() != 2 {
		t.Errorf("again %s", again.body)
	}
	none, _ := w.batch(batch("{}", email(`"to":[]`)), validation, permissive)
	if none.want(t, 202, ""); !strings.Contains(string(none.body), `"data":[],"errors":[{`) {
		t.Errorf("nothing right: %s", none.body)
	}
	all, _ := w.batch(batch(email()), validation, permissive)
	if !strings.Contains(string(all.body), `"errors":[]`) {
		t.Errorf("nothing wrong: %s", all.body)
	}
}

func TestAKeyCoversTheWholeBatch(t *testing.T) {
	w := newWorld(t)
	late := email(`"expires_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)
	body := batch(email(), late)
	first, r := w.batch(body, "Idempotency-Key", "k")
	first.want(t, 202, "")
	for _, other := range []string{batch(email()), batch(late, email()), batch(email(), late, email()), batch(email(), email(`"too":1`))} {
		a, _ := w.batch(other, "Idempotency-Key", "k")
		if a.status != 409 && a.status != 422 {
			t.Errorf("%d for another batch: %s", a.status, a.body)
		}
	}
	a, _ := w.batch(body, "Idempotency-Key", "k", validation, permissive)
	a.want(t, 409, "invalid_idempotent_request")
	w.do("POST", "/v1/emails", email(), "Idempotency-Key", "k").want(t, 409, "invalid_idempotent_request")
	w.do("POST", "/v1/emails", email(), "Idempotency-Key", "single").want(t, 202, "")
	a, _ = w.batch(batch(email()), "Idempotency-Key", "single")
	a.want(t, 409, "invalid_idempotent_request")
	if w.stored() != 3 || len(r.Data) != 2 {
		t.Errorf("%d stored", w.stored())
	}
}

func TestARepeatedBatchIsAnsweredThoughItsTimeIsOver(t *testing.T) {
	clock := time.Now()
	w := newWorld(t, func(p *plan) { p.now = func() time.Time { return clock } })
	body := batch(email(`"expires_at":"` + clock.Add(time.Minute).Format(time.RFC3339) + `"`))
	first, _ := w.batch(body, "Idempotency-Key", "k")
	first.want(t, 202, "")
	clock = clock.Add(time.Hour)
	again, _ := w.batch(body, "Idempotency-Key", "k")
	if again.want(t, 202, ""); string(again.body) != string(first.body) {
		t.Errorf("again %s", again.body)
	}
	fresh, _ := w.batch(body, "Idempotency-Key", "other")
	fresh.want(t, 422, "validation_error")
}

func TestFaultyEmailsThatReadAlikeAreAnotherBatch(t *testing.T) {
	w := newWorld(t)
	for i, fault := range []string{`"x":1`, `"x":2`} {
		a, _ := w.batch(batch(email(fault), email()), validation, permissive, "Idempotency-Key", "k")
		a.want(t, 202+207*i, "")
	}
}

func TestBadBatchesAreRefusedAsAWhole(t *testing.T) {
	limits := message.DefaultLimits()
	limits.BatchBytes, limits.MessageBytes = 10_000, 5_000
	w := newWorld(t, limited(limits))
	long := email(`"text":"` + strings.Repeat("x", 3_500) + `"`)
	rows := []refused{
		unreadable("an object", email(), "invalid_json"),
		unreadable("nothing", "", "invalid_json"),
		unreadable("null", "null", "invalid_json"),
		unreadable("cut off", batch(email())[:40], "invalid_json"),
		unreadable("text behind", batch(email())+"x", "invalid_json"),
		unreadable("two lists", batch(email())+batch(email()), "invalid_json"),
		unreadable("a key twice", batch(email(), `{"to":"a@example.com","to":"b@example.com"}`), "duplicate_key"),
		unreadable("deep", strings.Repeat("[", 100), "json_too_deep"),
		invalid("empty", "[]", " missing_field"),
		invalid("501", batch(slices.Repeat([]string{`{}`}, 501)...), " too_large"),
		invalid("too much together", batch(long, long, long), " message_too_large"),
		invalid("one too large", batch(email(), email(`"text":"`+strings.Repeat("x", 5_001)+`"`)), "/1 message_too_large"),
		invalid("a long name", batch(email(), `{"`+strings.Repeat("n", 9_000)+`":1}`), "/1 too_large"),
		invalid("many values in one", batch(`{"metadata":[`+strings.Repeat("0,", 5_000)+`0]}`), "/0/metadata invalid_field"),
	}
	for _, row := range rows {
		for _, mode := range []string{"strict", permissive} {
			if mode == permissive && strings.HasPrefix(row.fault, "/") && row.name != "a long name" {
				continue // is reported by index
			}
			t.Run(row.name+", "+mode, func(t *testing.T) {
				a, _ := w.batch(row.body, validation, mode)
				if a.want(t, row.status, row.code); row.fault != "" && !slices.Contains(a.faults(), row.fault) {
					t.Errorf("faults %v, want %s", a.faults(), row.fault)
				}
			})
		}
	}
	if n := w.stored(); n != 0 {
		t.Errorf("%d stored", n)
	}
}

func TestBatchHeadersAreChecked(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []string{"", "Strict", "lenient"} {
		a, _ := w.batch(batch(email()), validation, mode)
		if a.want(t, 422, "validation_error"); !slices.Equal(a.faults(), []string{"/x-batch-validation invalid_field"}) {
			t.Errorf("%v", a.faults())
		}
	}
	w.do("POST", "/v1/emails/batch?dry_run=true", batch(email())).want(t, 422, "validation_error")
	for headers, want := range map[[2]string]int{
		{"Idempotency-Key", ""}: 400, {"Content-Type", "text/plain"}: 415, {"Authorization", "-"}: 401, {"Content-Encoding", "gzip"}: 415,
	} {
		a, _ := w.batch(batch(email()), headers[0], headers[1])
		a.want(t, want, "")
	}
}

func TestABatchMayUseItsLimits(t *testing.T) {
	w := newWorld(t)
	emails := make([]string, 500)
	for i := range emails {
		emails[i] = email(`"tags":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a","value":"b"},`, 20), ",") + `]`)
	}
	a, r := w.batch(batch(emails...))
	if a.want(t, 202, ""); len(r.Data) != 500 {
		t.Errorf("%d emails: %.300s", len(r.Data), a.body)
	}
	limits := message.DefaultLimits()
	w.do("POST", "/v1/emails/batch", "["+strings.Repeat(" ", limits.BatchBytes*36/25)+"]").want(t, 413, "body_too_large")
}

func TestWithoutTheDatabaseABatchAndItsFilesSaySo(t *testing.T) {
	w := newWorld(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	a, _ := w.batch(batch(email()), "Idempotency-Key", "k")
	a.want(t, 503, "unavailable")
	a, _ = w.batch(batch("{}"), "Idempotency-Key", "k")
	a.want(t, 503, "unavailable")
	w.do("GET", "/v1/emails/"+message.NewID().String()+"/attachments", "").want(t, 503, "unavailable")
}

func TestWhatResendHasAndPostriderHasNotIs501(t *testing.T) {
	w := newWorld(t)
	id := message.NewID().String()
	for _, call := range []string{
		"POST /v1/domains", "GET /v1/domains/" + id + "/claim", "POST /v1/broadcasts/" + id + "/send", "GET /v1/audiences",
		"DELETE /v1/contacts/" + id, "PATCH /v1/contacts/" + id + "/topics", "GET /v1/contact-properties", "GET /v1/segments",
		"GET /v1/topics", "POST /v1/webhooks", "GET /v1/logs", "GET /v1/automations", "POST /v1/events/send", "GET /v1/suppressions",
		"GET /v1/oauth/grants", "GET /v1/emails/receiving", "GET /v1/emails/receiving/" + id + "/attachments/" + id,
		"GET /v1/emails/metrics", "POST /v1/emails/" + id + "/share", "PATCH /v1/api-keys/" + id, "POST /broadcasts", "GET /v1/usage", "PUT /v1/inboxes/" + id + "/threads/" + id + "/labels",
	} {
		method, path, _ := strings.Cut(call, " ")
		a := w.do(method, path, "{}")
		if a.want(t, 501, "not_implemented"); a.text("name") != "not_implemented" || !strings.Contains(a.text("message"), call) {
			t.Errorf("%s: %s", call, a.body)
		}
		w.do(method, path, "", "Authorization", "-").want(t, 401, "missing_api_key")
	}
	w.do("GET", "/v1/domain", "").want(t, 404, "not_found")
	w.do("GET", "/v1/emails/"+id+"/sharing", "").want(t, 404, "not_found")
	w.do("PUT", "/v1/api-keys/"+id, "{}").want(t, 405, "method_not_allowed")
}

func TestNamesAreThoseOfResend(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"to":"b@example.com","text":"hi"}`:     "missing_required_field",
		`{}`:                                     "missing_required_field",
		email(`"from":"no"`):                     "invalid_from_address",
		email(`"to":"no"`):                       "validation_error",
		email(`"attachments":[{"content":"!"}]`): "invalid_attachment",
		email(`"attachments":[{"content":"!"}]`, `"to":"no"`):   "validation_error",
		email(`"from":"no"`, `"attachments":[{"content":"!"}]`): "validation_error",
	} {
		if a := w.do("POST", "/v1/emails", body); a.status != 422 || a.text("name") != want {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.text("name"), want)
		}
	}
	a, _ := w.batch(batch(email(), email(`"from":"no"`)))
	if a.text("name") != "invalid_from_address" {
		t.Errorf("in a batch: %s", a.text("name"))
	}
	for body, want := range map[string]string{`"permission":"all"`: "invalid_access", `"permission":"all","rate":0`: "validation_error", `"scope":"all"`: "validation_error"} {
		if a := w.do("POST", "/v1/api-keys", `{"name":"a",`+body+`}`); a.status != 422 || a.text("name") != want {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.text("name"), want)
		}
	}
	if w.do("PATCH", "/v1/emails/"+message.NewID().String(), "{}").text("name") != "missing_required_field" {
		t.Error("without a time")
	}
}
