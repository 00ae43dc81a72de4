package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func TestAnAcceptedEmailIsThereToBeRead(t *testing.T) {
	w := newWorld(t)
	content := base64.StdEncoding.EncodeToString([]byte("picture"))
	a := w.do("POST", "/v1/emails", email(
		`"to":["b@example.com","C <c@example.com>"]`, `"bcc":["d@example.com"]`, `"reply_to":"r@example.com"`, `"html":"<p>hi</p>"`,
		`"headers":{"X-Campaign":"spring"}`, `"tags":[{"name":"kind","value":"test"}]`, `"metadata":{"order":"17"}`,
		`"lane":"critical"`, `"on_unknown":"hold"`, `"expires_at":"`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"`,
		`"attachments":[{"filename":"a.png","content":"`+content+`","content_id":"img"}]`))
	a.want(t, 202, "")
	if a.text("status") != "queued" || a.header.Get("Location") != "/v1/emails/"+a.text("id") {
		t.Errorf("%s, Location %q", a.body, a.header.Get("Location"))
	}
	got := w.do("GET", a.header.Get("Location"), "")
	got.want(t, 200, "")
	if got.text("status") != "queued" || got.text("last_event") != "queued" || got.text("lane") != "critical" || got.text("on_unknown") != "hold" {
		t.Errorf("%s", got.body)
	}
	if n := len(got.json["recipients"].([]any)); n != 3 {
		t.Errorf("%d recipients, want 3", n)
	}
	if upper := w.do("GET", "/v1/emails/"+strings.ToUpper(a.text("id")), ""); upper.status != 200 {
		t.Errorf("the id in upper case: %d", upper.status)
	}
}

func TestAScheduledEmailSaysSo(t *testing.T) {
	w := newWorld(t)
	body := email(`"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`)
	for range 2 { // the repetition says the same
		if a := w.do("POST", "/v1/emails", body, "Idempotency-Key", "later"); a.text("status") != "scheduled" {
			t.Errorf("%s", a.body)
		}
	}
	past := w.do("POST", "/v1/emails", email(`"scheduled_at":"2001-01-01T00:00:00Z"`))
	if past.want(t, 202, ""); past.text("status") != "queued" {
		t.Errorf("a time in the past means now: %s", past.body)
	}
}

func TestARepeatedKeyAnswersTheSameAndStoresOnce(t *testing.T) {
	w := newWorld(t)
	first := w.do("POST", "/v1/emails", email(), "Idempotency-Key", "order-17")
	again := w.do("POST", "/v1/emails", email(), "Idempotency-Key", "order-17")
	again.want(t, 202, "")
	if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("first %s, again %s (%v)", first.body, again.body, again.header)
	}
	other := w.do("POST", "/v1/emails", email(`"text":"other"`), "Idempotency-Key", "order-17")
	other.want(t, 409, "invalid_idempotent_request")
	if other.text("name") != "invalid_idempotent_request" {
		t.Errorf("name %q", other.text("name"))
	}
	if n := w.stored(); n != 1 {
		t.Errorf("%d messages stored, want 1", n)
	}
	of := w.do("POST", "/v1/emails", email(), "Idempotency-Key", "order-17", "Authorization", "Bearer "+keyB)
	if of.want(t, 202, ""); of.text("id") == first.text("id") {
		t.Error("two tenants share a key")
	}
}

func TestRequestsOfOneKeyAtTheSameMomentAreOneMessage(t *testing.T) {
	w := newWorld(t)
	ids := make([]string, 40)
	var callers sync.WaitGroup
	for i := range ids {
		callers.Go(func() {
			a := w.do("POST", "/v1/emails", email(), "Idempotency-Key", "once")
			a.want(t, 202, "")
			ids[i] = a.text("id")
		})
	}
	callers.Wait()
	if all := slices.Compact(slices.Clone(ids)); len(all) != 1 || w.stored() != 1 {
		t.Errorf("ids %v, %d stored", all, w.stored())
	}
}

func TestIdempotencyKeysAreBound(t *testing.T) {
	w := newWorld(t)
	for name, key := range map[string]string{
		"empty": "", "257 long": strings.Repeat("k", 257), "tab": "a\tb", "not ASCII": "schlüssel",
	} {
		a := w.do("POST", "/v1/emails", email(), "Idempotency-Key", key)
		if a.want(t, 400, "invalid_idempotency_key"); a.text("name") != "invalid_idempotency_key" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	r, _ := http.NewRequest("POST", "http://"+w.addr+"/v1/emails", strings.NewReader(email()))
	r.Header["Idempotency-Key"] = []string{"one", "two"}
	w.send(r, "Authorization", "Bearer "+keyA, "Content-Type", "application/json").want(t, 400, "invalid_idempotency_key")
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
	w.do("POST", "/v1/emails", email(), "Idempotency-Key", strings.Repeat("k", 256)).want(t, 202, "")
}

func TestAnotherTenantsEmailIsNotFound(t *testing.T) {
	w := newWorld(t)
	id := w.post()
	asB := []string{"Authorization", "Bearer " + keyB}
	w.do("GET", "/v1/emails/"+id, "", asB...).want(t, 404, "not_found")
	w.do("POST", "/v1/emails/"+id+"/cancel", "", asB...).want(t, 404, "not_found")
	w.do("POST", "/v1/emails/"+id+"/retry", "", asB...).want(t, 404, "not_found")
	w.do("PATCH", "/v1/emails/"+id, inAnHour(), asB...).want(t, 404, "not_found")
	if list := w.do("GET", "/v1/emails", "", asB...); len(list.json["data"].([]any)) != 0 {
		t.Errorf("tenant B sees %s", list.body)
	}
	if got := w.do("GET", "/v1/emails/"+id, ""); got.text("status") != "queued" {
		t.Errorf("it was changed: %s", got.body)
	}
}

func TestCancelRetryAndReschedule(t *testing.T) {
	w := newWorld(t)
	id := w.post(`"to":["b@example.com","c@example.com"]`)
	path := "/v1/emails/" + id
	status := func(want string) {
		t.Helper()
		if got := w.do("GET", path, "").text("status"); got != want {
			t.Errorf("status %q, want %q", got, want)
		}
	}
	count := func(a answer, want float64) {
		t.Helper()
		if a.want(t, 200, ""); a.json["recipients"] != want {
			t.Errorf("%s, want %v recipients", a.body, want)
		}
	}
	w.do("POST", path+"/retry", "").want(t, 409, "not_retryable")
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	count(w.do("PATCH", path, `{"scheduled_at":"`+later.Format(time.RFC3339)+`"}`), 2)
	status("scheduled")
	for _, name := range []string{"next_attempt_at", "scheduled_at"} {
		if got := w.do("GET", path, "").text(name); got != later.Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("%s is %s, want %s", name, got, later)
		}
	}
	count(w.do("PATCH", path, `{"scheduled_at":"2001-01-01T00:00:00Z"}`), 2)
	status("queued")
	count(w.do("POST", path+"/cancel", "", "Content-Type", "application/json"), 2)
	status("canceled")
	w.do("POST", path+"/cancel", "").want(t, 409, "not_cancelable")
	w.do("PATCH", path, `{"scheduled_at":"`+later.Format(time.RFC3339)+`"}`).want(t, 409, "not_cancelable")
	count(w.do("POST", path+"/retry", "", "Content-Type", "-"), 2)
	status("queued")
	count(w.do("POST", path+"/cancel", "{}", "Content-Type", "text/plain"), 2)
}

// inAnHour is a body that reschedules.
func inAnHour() string {
	return `{"scheduled_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"}`
}

func TestReschedulingIsChecked(t *testing.T) {
	w := newWorld(t)
	path := "/v1/emails/" + w.post()
	for body, want := range map[string]string{
		`{"scheduled_at":"tomorrow"}`:             "/scheduled_at invalid_scheduled_at",
		`{"scheduled_at":"9999-01-01T00:00:00Z"}`: "/scheduled_at invalid_scheduled_at",
		`{}`: "/scheduled_at missing_field",
		inAnHour()[:len(inAnHour())-1] + `,"lane":"low"}`: "/lane unknown_field",
	} {
		a := w.do("PATCH", path, body)
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), want) {
			t.Errorf("%s: %v, want %s", body, a.faults(), want)
		}
	}
	w.do("PATCH", path, `{`).want(t, 400, "invalid_json")
	w.do("PATCH", path, `{}`, "Content-Type", "text/plain").want(t, 415, "unsupported_media_type")
	if got := w.do("GET", path, ""); got.text("status") != "queued" {
		t.Errorf("it was changed: %s", got.body)
	}
}

// ids are those of a list.
func ids(a answer) []string {
	var list []string
	data, _ := a.json["data"].([]any)
	for _, item := range data {
		list = append(list, item.(map[string]any)["id"].(string))
	}
	return list
}

func TestListsGoByPages(t *testing.T) {
	w := newWorld(t)
	var posted []string
	for i := range 7 {
		posted = append([]string{w.post(fmt.Sprintf(`"subject":"%d"`, i))}, posted...)
	}
	var seen []string
	query := ""
	for range 4 {
		page := w.do("GET", "/v1/emails?limit=3"+query, "")
		page.want(t, 200, "")
		seen = append(seen, ids(page)...)
		if page.json["has_more"] != true {
			break
		}
		query = "&after=" + seen[len(seen)-1]
	}
	if !slices.Equal(seen, posted) {
		t.Errorf("pages give\n%v, want\n%v", seen, posted)
	}
	back := w.do("GET", "/v1/emails?limit=2&before="+posted[4], "")
	if got := ids(back); !slices.Equal(got, posted[2:4]) || back.json["has_more"] != true {
		t.Errorf("before the fifth: %v, more %v", got, back.json["has_more"])
	}
}

func TestListsAreFilteredByStatus(t *testing.T) {
	w := newWorld(t)
	canceled, queued := w.post(), w.post()
	w.do("POST", "/v1/emails/"+canceled+"/cancel", "").want(t, 200, "")
	for status, want := range map[message.Status][]string{
		message.StatusCanceled: {canceled}, message.StatusQueued: {queued}, message.StatusSent: nil,
	} {
		if got := ids(w.do("GET", "/v1/emails?status="+string(status), "")); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", status, got, want)
		}
	}
}

func TestListParametersAreChecked(t *testing.T) {
	w := newWorld(t)
	id := w.post()
	for query, want := range map[string]string{
		"limit=-1":                      "/limit invalid_field",
		"limit=0":                       "/limit invalid_field",
		"limit=101":                     "/limit invalid_field",
		"limit=1e9":                     "/limit invalid_field",
		"limit=99999999999999999999":    "/limit invalid_field",
		"limit=1&limit=2":               "/limit invalid_field",
		"after=forged":                  "/after invalid_field",
		"after=' OR 1=1--":              "/after invalid_field",
		"before={" + id + "}":           "/before invalid_field",
		"after=" + forged:               "/after invalid_field",
		"after=" + id + "&before=" + id: "/before invalid_field",
		"status=done":                   "/status invalid_field",
		"staus=sent":                    "/staus unknown_field",
		"api_key=" + keyA:               "/api_key unknown_field",
	} {
		a := w.do("GET", "/v1/emails?"+strings.NewReplacer(" ", "%20", "{", "%7B", "}", "%7D").Replace(query), "")
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), want) {
			t.Errorf("%s: %v, want %s", query, a.faults(), want)
		}
	}
	w.do("GET", "/v1/emails?limit=%zz", "").want(t, 422, "validation_error")
	w.do("GET", "/v1/emails?a;b", "").want(t, 422, "validation_error")
}

// forged is a UUID that no email can have: ids are of version 7.
const forged = "11111111-2222-4333-8444-555555555555"

func TestWhatIsNoIDIsNotFound(t *testing.T) {
	w := newWorld(t)
	id := w.post()
	for _, bad := range []string{
		"x", forged, "%00", "..%2f", "%2e%2e", "..", "' OR 1=1--", "{" + id + "}", "urn:uuid:" + id,
		strings.ReplaceAll(id, "-", ""), id + "0", strings.Repeat("9", 20_000),
	} {
		path := "/v1/emails/" + strings.NewReplacer(" ", "%20", "{", "%7B", "}", "%7D").Replace(bad)
		w.do("GET", path, "").want(t, 404, "not_found")
		w.do("POST", path+"/cancel", "").want(t, 404, "not_found")
		w.do("PATCH", path, inAnHour()).want(t, 404, "not_found")
	}
	if got := w.do("GET", "/v1/emails/"+id, ""); got.text("status") != "queued" {
		t.Errorf("it was changed: %s", got.body)
	}
}

func BenchmarkPostEmail(b *testing.B) {
	w := newWorld(b)
	body := email(`"html":"` + strings.Repeat("<p>hello there</p>", 100) + `"`)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a := w.do("POST", "/v1/emails", body); a.status != 202 {
				b.Errorf("%d %s", a.status, a.body)
			}
		}
	})
}
