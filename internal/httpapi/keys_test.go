package httpapi_test

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// key makes a key with more members and returns its id and what to send it with.
func (w *world) key(members ...string) (id string, as []string) {
	w.t.Helper()
	a := w.do("POST", "/v1/api-keys", `{`+strings.Join(append([]string{`"name":"test"`}, members...), ",")+`}`)
	a.want(w.t, 201, "")
	return a.text("id"), []string{"Authorization", "Bearer " + a.text("token")}
}

// invented is a key that nobody made, of the right form.
func invented(n int) string {
	body := fmt.Sprintf("pr_%043d", n)
	sum := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))).Text(62)
	return body + strings.Repeat("0", 6-len(sum)) + sum
}

var asB = []string{"Authorization", "Bearer " + keyB}

func TestAKeyIsMadeListedUsedAndRevoked(t *testing.T) {
	w := newWorld(t)
	made := w.do("POST", "/v1/api-keys", `{"name":" Shop ","permission":"sending_access","domain_id":"EXAMPLE.com","rate":100,"daily_quota":50,"expires_at":"2100-01-01T00:00:00Z"}`)
	made.want(t, 201, "")
	if made.text("scope") != "sending" || made.text("name") != "Shop" || made.json["rate"] != 100.0 || fmt.Sprint(made.json["domains"]) != "[example.com]" {
		t.Errorf("%s", made.body)
	}
	as := []string{"Authorization", "Bearer " + made.text("token")}
	w.do("POST", "/v1/emails", email(), as...).want(t, 202, "")
	list := w.do("GET", "/v1/api-keys", "")
	list.want(t, 200, "")
	item := list.json["data"].([]any)[0].(map[string]any)
	if item["id"] != made.text("id") || item["prefix"] != made.text("token")[:8] || item["daily_quota"] != 50.0 || strings.Contains(string(list.body), made.text("token")) {
		t.Errorf("%s", list.body)
	}
	gone := w.do("DELETE", "/v1/api-keys/"+made.text("id"), "")
	if gone.want(t, 200, ""); gone.json["deleted"] != true {
		t.Errorf("%s", gone.body)
	}
	w.do("DELETE", "/v1/api-keys/"+made.text("id"), "").want(t, 404, "not_found")
	if again := w.do("GET", "/v1/api-keys", ""); len(ids(again)) != 0 {
		t.Errorf("%s", again.body)
	}
	if stored := w.stored(); stored != 1 {
		t.Errorf("%d messages stored, want 1", stored)
	}
	for _, line := range w.log.all() {
		if strings.Contains(line, made.text("token")) {
			t.Errorf("the key is in the log: %s", line)
		}
	}
}

// TestBadKeysLetNobodyIn is row 15 of what is thrown at every API: keys that were
// never there, that are over, and that stand where none is looked for.
func TestBadKeysLetNobodyIn(t *testing.T) {
	w := newWorld(t)
	revoked, asRevoked := w.key()
	w.do("DELETE", "/v1/api-keys/"+revoked, "").want(t, 200, "")
	expired := invented(1)
	past := message.KeyLimits{Scope: message.ScopeFull, ExpiresAt: time.Now().Add(-time.Second)}
	if err := w.store.CreateKey(t.Context(), &message.APIKey{ID: message.NewID(), TenantID: tenantA, Hash: sha256.Sum256([]byte(expired)), Limits: past}); err != nil {
		t.Fatal(err)
	}
	_, good := w.key()
	token := strings.TrimPrefix(good[1], "Bearer ")
	for name, as := range map[string][]string{
		"revoked": asRevoked, "expired": {"Authorization", "Bearer " + expired},
		"one sign changed":  {"Authorization", "Bearer " + token[:len(token)-1] + "!"},
		"cut":               {"Authorization", "Bearer " + token[:30]},
		"longer":            {"Authorization", "Bearer " + token + "0"},
		"its prefix":        {"Authorization", "Bearer " + token[:8]},
		"in other case":     {"Authorization", "Bearer " + strings.ToLower(token)},
		"with a good sum":   {"Authorization", "Bearer " + invented(2)},
		"10 kB":             {"Authorization", "Bearer " + strings.Repeat("k", 10_000)},
		"a quote":           {"Authorization", "Bearer ' OR 1=1--"},
		"keys of two kinds": {"Authorization", "Bearer " + token + ", Bearer " + keyA},
	} {
		for range 2 { // the second time from memory
			a := w.do("POST", "/v1/emails", email(), as...)
			if a.want(t, 403, "invalid_api_key"); a.text("name") != "invalid_api_key" {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	}
	w.do("POST", "/v1/emails?api_key="+token, email(), "Authorization", "-").want(t, 401, "missing_api_key")
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
	w.do("POST", "/v1/emails", email(), good...).want(t, 202, "")
}

// TestEveryRouteAsksForItsRight goes through every operation of the document with
// a key of each scope: refused is exactly who lacks the right that stands there.
func TestEveryRouteAsksForItsRight(t *testing.T) {
	w := newWorld(t)
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	of := map[message.Scope][]string{}
	for _, scope := range message.Scopes() {
		_, of[scope] = w.key(`"scope":"` + string(scope) + `"`)
	}
	for path, methods := range d.operations() {
		for _, method := range methods {
			right, public := d.right(t, path, method)
			if public {
				continue
			}
			for scope, as := range of {
				grant := message.Grant{TenantID: tenantA, KeyLimits: message.KeyLimits{Scope: scope}}
				a := w.do(method, strings.ReplaceAll(path, "{id}", forged), "", as...)
				if refused := a.status == 401 && a.text("name") == "restricted_api_key"; refused == grant.May(right) {
					t.Errorf("%s %s with a key of scope %s: %d %s", method, path, scope, a.status, a.text("code"))
				}
			}
			operator := right == message.RightOperate
			if a := w.do(method, strings.ReplaceAll(path, "{id}", forged), "", asB...); operator != (a.status == 401) {
				t.Errorf("%s %s with an admin key of another tenant: %d", method, path, a.status)
			}
		}
	}
}

// right is what the document says that an operation needs.
func (d *document) right(t *testing.T, path, method string) (right message.Right, public bool) {
	t.Helper()
	alternatives, said := dig(d.root, "paths", path, strings.ToLower(method))["security"].([]any)
	if said && len(alternatives) == 0 {
		return "", true
	}
	known := []message.Right{message.RightSend, message.RightRead, message.RightContent, message.RightChange, message.RightAdminister, message.RightOperate}
	for _, alternative := range alternatives {
		names, _ := alternative.(map[string]any)["key"].([]any)
		if len(names) == 1 && slices.Contains(known, message.Right(names[0].(string))) {
			return message.Right(names[0].(string)), false
		}
	}
	t.Fatalf("%s %s: the document does not say which right it needs", method, path)
	return "", false
}

// TestNoTenantReachesWhatIsAnothers is row 16: every operation on one thing, with
// the id of tenant A's and the key of tenant B, is not found and changes nothing;
// and no list shows it. A new path fails here until it says what it is about.
func TestNoTenantReachesWhatIsAnothers(t *testing.T) {
	w := newWorld(t)
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	key, as := w.key()
	withFile := w.withFiles(map[string][]byte{"a": []byte("a")})
	file := w.do("GET", "/v1/emails/"+withFile+"/attachments", "").json["data"].([]any)[0].(map[string]any)["id"].(string)
	things := map[string]string{ // a path → the id of something of tenant A's
		"/v1/emails/{id}": w.post(), "/v1/emails/{id}/cancel": w.post(), "/v1/emails/{id}/retry": w.post(),
		"/v1/emails/{id}/content": w.post(), "/v1/emails/{id}/events": w.post(), "/v1/api-keys/{id}": key,
		"/v1/emails/{id}/attachments": withFile, "/v1/emails/{id}/attachments/{attachment_id}": withFile,
	}
	bodies := map[string]string{
		"PATCH /v1/emails/{id}": inAnHour(), "PATCH /v1/templates/{id}": `{"html":"y"}`, "POST /v1/templates/{id}/render": `{}`,
	}
	template := w.published(map[string]any{"html": "x"})
	for _, step := range []string{"", "/publish", "/duplicate", "/render"} {
		things["/v1/templates/{id}"+step] = template
	}
	for path, methods := range d.operations() {
		for _, method := range methods {
			right, public := d.right(t, path, method)
			switch about := things[path]; {
			case public || right == message.RightOperate:
			case strings.Contains(path, "{"):
				if about == "" {
					t.Errorf("%s: say here what of tenant A's it can be about", path)
					continue
				}
				at := strings.NewReplacer("{id}", about, "{attachment_id}", file).Replace(path)
				w.do(method, at, bodies[method+" "+path], asB...).want(t, 404, "not_found")
			case method == http.MethodGet:
				a := w.do(method, path, "", asB...)
				empty := strings.Count(string(a.body), "\n") == 1 // a table of its header alone
				if data, list := a.json["data"].([]any); list {
					empty = len(data) == 0
				}
				if a.status != 200 || !empty {
					t.Errorf("tenant B sees %s: %d %.300s", path, a.status, a.body)
				}
			}
		}
	}
	for path, id := range things {
		if strings.HasPrefix(path, "/v1/emails") && w.do("GET", "/v1/emails/"+id, "").text("status") != "queued" {
			t.Errorf("%s: it was changed", path)
		}
	}
	if a := w.do("GET", "/v1/templates/"+template, ""); a.text("html") != "x" || a.json["version"] != 1.0 {
		t.Errorf("the template was changed: %s", a.body)
	}
	w.do("GET", "/v1/emails", "", as...).want(t, 200, "") // the key lives
}

func TestAKeyOfSomeDomainsSendsFromNoOther(t *testing.T) {
	w := newWorld(t)
	_, as := w.key(`"domains":["example.com","*.shop.example","bücher.example"]`)
	for from, ok := range map[string]bool{
		"a@example.com": true, "A <a@EXAMPLE.com>": true, "a@mail.shop.example": true, "a@x.y.shop.example": true,
		"a@xn--bcher-kva.example": true, "a@BÜCHER.example": true,
		"a@mail.example.com": false, "a@shop.example": false, "a@notshop.example": false, "a@example.com.evil.example": false,
		"a@evilexample.com": false, `\"a@example.com\" <a@evil.example>`: false,
	} {
		a := w.do("POST", "/v1/emails", email(`"from":"`+from+`"`), as...)
		if ok {
			a.want(t, 202, "")
		} else if a.want(t, 403, "domain_not_allowed"); a.text("name") != "validation_error" {
			t.Errorf("%s: %s", from, a.body)
		}
	}
	if n := w.stored(); n != 6 {
		t.Errorf("%d messages stored, want 6", n)
	}
}

// TestARateIsHeldTo is row 66.
func TestARateIsHeldTo(t *testing.T) {
	w := newWorld(t)
	_, as := w.key(`"rate":1`)
	first := w.do("POST", "/v1/emails", email(), as...)
	first.want(t, 202, "")
	if h := first.header; h.Get("Ratelimit-Limit") != "1" || h.Get("Ratelimit-Remaining") != "0" || h.Get("Ratelimit-Reset") != "1" {
		t.Errorf("header %v", h)
	}
	refused := 0
	for range 20 {
		a := w.do("POST", "/v1/emails", email(), as...)
		if a.status == 202 {
			continue // a second has gone by
		}
		refused++
		if a.want(t, 429, "rate_limit_exceeded"); a.text("name") != "rate_limit_exceeded" || a.header.Get("Retry-After") != "1" || a.header.Get("Ratelimit-Limit") != "1" || a.header.Get("Ratelimit-Remaining") != "0" {
			t.Errorf("%s, header %v", a.body, a.header)
		}
	}
	if refused == 0 || w.stored() != 21-refused {
		t.Errorf("%d refused, %d stored", refused, w.stored())
	}
	if a := w.do("GET", "/v1/emails", ""); a.status != 200 || a.header.Get("Ratelimit-Limit") != "" {
		t.Errorf("a key without a rate: %d %v", a.status, a.header)
	}
}

func TestAQuotaCountsRecipientsThatWereAccepted(t *testing.T) {
	w := newWorld(t)
	_, as := w.key(`"daily_quota":4`)
	post := func(body string, headers ...string) answer {
		return w.do("POST", "/v1/emails", body, append(headers, as...)...)
	}
	two := email(`"to":["a@example.com","b@example.com"]`)
	for range 3 { // the repetitions count for nothing
		post(two, "Idempotency-Key", "one").want(t, 202, "")
	}
	post(email(`"text":"other"`), "Idempotency-Key", "one").want(t, 409, "invalid_idempotent_request")
	post(email(`"subject":"a\nb"`)).want(t, 422, "validation_error")
	post(email(`"to":`+list(3, address))).want(t, 429, "daily_quota_exceeded")
	post(two).want(t, 202, "")
	a := post(email())
	if a.want(t, 429, "daily_quota_exceeded"); a.text("name") != "daily_quota_exceeded" || a.header.Get("Retry-After") == "" {
		t.Errorf("%s, header %v", a.body, a.header)
	}
	if a := post(two, "Idempotency-Key", "one"); a.status != 202 || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("a repetition of what was accepted: %d %s", a.status, a.body)
	}
	if n := w.stored(); n != 2 {
		t.Errorf("%d messages stored, want 2", n)
	}
	w.do("GET", "/v1/emails", "", as...).want(t, 200, "") // looking is free
}

// TestAFloodOfOneKeyRefusesNobodyElse is row 75, without a clock: whatever one
// tenant does, the other's emails are taken.
func TestAFloodOfOneKeyRefusesNobodyElse(t *testing.T) {
	w := newWorld(t)
	_, as := w.key(`"rate":5`)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 8 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if a := w.do("POST", "/v1/emails", email(), as...); a.status != 202 && a.status != 429 {
						t.Errorf("the flood got %d %s", a.status, a.body)
					}
				}
			}
		})
	}
	for range 50 {
		w.do("POST", "/v1/emails", email(), asB...).want(t, 202, "")
	}
	close(stop)
	flood.Wait()
}

func TestBadDraftsOfKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	for body, fault := range map[string]string{
		`{}`:                 "/name missing_field",
		`{"name":"  "}`:      "/name missing_field",
		`{"name":"a\nb"}`:    "/name invalid_field",
		`{"name":"a\u0000"}`: "/name invalid_field",
		`{"name":7}`:         "/name invalid_field",
		`{"name":"` + strings.Repeat("n", 101) + `"}`:                     "/name invalid_field",
		`{"name":"a","Scope":"full"}`:                                     "/Scope unknown_field",
		`{"name":"a","scope":"root"}`:                                     "/scope invalid_field",
		`{"name":"a","scope":""}`:                                         "/scope invalid_field",
		`{"name":"a","permission":"all"}`:                                 "/permission invalid_field",
		`{"name":"a","permission":"full_access","scope":"read"}`:          "/scope invalid_field",
		`{"name":"a","domain_id":"4dd369bc-aa82-4ff3-97de-514ae3000ee0"}`: "/domain_id invalid_field",
		`{"name":"a","domains":"example.com"}`:                            "/domains invalid_field",
		`{"name":"a","domains":["example.com","com"]}`:                    "/domains/1 invalid_field",
		`{"name":"a","domains":["*"]}`:                                    "/domains/0 invalid_field",
		`{"name":"a","domains":["a.*.example.com"]}`:                      "/domains/0 invalid_field",
		`{"name":"a","domains":["a b.example.com"]}`:                      "/domains/0 invalid_field",
		`{"name":"a","domains":["[127.0.0.1]"]}`:                          "/domains/0 invalid_field",
		`{"name":"a","domains":` + list(51, func(i int) string { return fmt.Sprintf("d%d.example", i) }) + `}`: "/domains too_large",
		`{"name":"a","scope":"admin","domains":["example.com"]}`:                                               "/domains invalid_field",
		`{"name":"a","rate":0}`:                            "/rate invalid_field",
		`{"name":"a","rate":-1}`:                           "/rate invalid_field",
		`{"name":"a","rate":1.5}`:                          "/rate invalid_field",
		`{"name":"a","rate":"10"}`:                         "/rate invalid_field",
		`{"name":"a","rate":10001}`:                        "/rate invalid_field",
		`{"name":"a","daily_quota":1e999}`:                 "/daily_quota invalid_field",
		`{"name":"a","expires_at":"2001-01-01T00:00:00Z"}`: "/expires_at invalid_expires_at",
		`{"name":"a","expires_at":"soon"}`:                 "/expires_at invalid_expires_at",
		`{"name":"a","tenant":"nobody"}`:                   "/tenant invalid_field",
	} {
		a := w.do("POST", "/v1/api-keys", body)
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), fault) {
			t.Errorf("%s: %v, want %s", body, a.faults(), fault)
		}
	}
	w.do("POST", "/v1/api-keys", `{"name":"a","name":"b"}`).want(t, 400, "duplicate_key")
	w.do("POST", "/v1/api-keys", `{"name":"`+strings.Repeat("n", 40<<10)+`"}`).want(t, 413, "body_too_large")
	w.do("POST", "/v1/api-keys", `{"name":"a"}`, "Content-Type", "text/plain").want(t, 415, "unsupported_media_type")
	for _, query := range []string{"limit=0", "after=x", "tenant=a&tenant=b", "status=sent"} {
		w.do("GET", "/v1/api-keys?"+query, "").want(t, 422, "validation_error")
	}
	if n := len(ids(w.do("GET", "/v1/api-keys", ""))); n != 0 {
		t.Errorf("%d keys made, want 0", n)
	}
	_, as := w.key(`"scope":null`, `"rate":null`, `"domains":null`, `"expires_at":null`)
	w.do("GET", "/v1/emails", "", as...).want(t, 200, "")
}

func TestTenantsAreTheOperators(t *testing.T) {
	w := newWorld(t)
	made := w.do("POST", "/v1/tenants", `{"name":"shop"}`)
	if made.want(t, 201, ""); made.text("name") != "shop" {
		t.Errorf("%s", made.body)
	}
	w.do("POST", "/v1/tenants", `{"name":"shop"}`).want(t, 409, "tenant_exists")
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":"Shop"}`, `{"name":"a b"}`, `{"name":"` + strings.Repeat("a", 65) + `"}`, `{"name":"x","id":7}`} {
		w.do("POST", "/v1/tenants", body).want(t, 422, "validation_error")
	}
	id, as := w.key(`"tenant":"shop"`, `"scope":"admin"`)
	w.do("POST", "/v1/emails", email(), as...).want(t, 202, "")
	if n := w.stored(); n != 0 {
		t.Errorf("%d messages in the tenant default, want 0", n)
	}
	w.do("POST", "/v1/tenants", `{"name":"mine"}`, as...).want(t, 401, "restricted_api_key")
	w.do("GET", "/v1/tenants", "", as...).want(t, 401, "restricted_api_key")
	w.do("POST", "/v1/api-keys", `{"name":"a","tenant":"default"}`, as...).want(t, 401, "restricted_api_key")
	w.do("GET", "/v1/api-keys?tenant=default", "", as...).want(t, 401, "restricted_api_key")
	if own := ids(w.do("GET", "/v1/api-keys", "", as...)); !slices.Equal(own, []string{id}) {
		t.Errorf("keys of the shop: %v", own)
	}
	w.do("DELETE", "/v1/api-keys/"+id, "").want(t, 404, "not_found")
	w.do("DELETE", "/v1/api-keys/"+id+"?tenant=shop", "").want(t, 200, "")
	var names []string
	page := w.do("GET", "/v1/tenants?limit=2", "")
	if page.json["has_more"] != true {
		t.Errorf("%s", page.body)
	}
	for _, item := range w.do("GET", "/v1/tenants", "").json["data"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	if !slices.Equal(names, []string{"default", "beta", "shop"}) {
		t.Errorf("tenants %v", names)
	}
}

// TestWithoutTheDatabaseOnlyKnownKeysGoOn: nothing fails open, and what was
// verified a moment ago gets as far as the database's absence.
func TestWithoutTheDatabaseOnlyKnownKeysGoOn(t *testing.T) {
	w := newWorld(t)
	_, known := w.key()
	_, fresh := w.key()
	_, rated := w.key(`"rate":100`)
	w.do("GET", "/v1/emails", "", known...).want(t, 200, "")
	w.do("GET", "/v1/emails", "", rated...).want(t, 200, "")
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.do("GET", "/v1/emails/x", "", known...).want(t, 404, "not_found") // needs no database
	for _, as := range [][]string{fresh, rated} {
		if a := w.do("GET", "/v1/emails/x", "", as...); a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}
