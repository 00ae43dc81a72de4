package postrider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
)

// call is what a server saw.
type call struct{ Line, Key, Body string }

// server answers with each status and body in turn, the last one for ever.
func server(t *testing.T, answers ...string) (*postrider.Client, *[]call) {
	t.Helper()
	calls := &[]call{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*calls = append(*calls, call{r.Method + " " + r.RequestURI, r.Header.Get("Idempotency-Key"), string(body)})
		status, text, _ := strings.Cut(answers[min(len(*calls), len(answers))-1], " ")
		if status == "replayed" {
			w.Header().Set("Idempotency-Replayed", "true")
		}
		w.WriteHeader(map[string]int{"202": 202, "replayed": 202, "200": 200, "409": 409, "422": 422, "503": 503}[status])
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	c, err := postrider.NewClient(postrider.Config{URL: s.URL + "/", Key: "secret-key"})
	if err != nil {
		t.Fatal(err)
	}
	return c, calls
}

const taken = `202 {"object":"email","id":"01990000-0000-7000-8000-000000000000","status":"queued"}`

func TestSendRepeatsUnderOneKeyOfItsOwn(t *testing.T) {
	c, calls := server(t, `503 {"code":"unavailable","detail":"away"}`, `503 <html>`, taken)
	r, err := c.Send(t.Context(), letter)
	if err != nil || r.ID != "01990000-0000-7000-8000-000000000000" || r.Status != postrider.Queued || r.Replayed {
		t.Fatalf("%+v, %v", r, err)
	}
	keys := map[string]bool{}
	for _, one := range *calls {
		keys[one.Key] = true
	}
	if len(*calls) != 3 || len(keys) != 1 || keys[""] {
		t.Errorf("%+v", *calls)
	}
	if _, err := c.Send(t.Context(), letter); err != nil || keys[(*calls)[3].Key] {
		t.Errorf("the next email has the same key, or %v", err)
	}
}

func TestWhatIsSent(t *testing.T) {
	c, calls := server(t, `replayed {"id":"x","status":"scheduled"}`)
	at := time.Date(2030, 1, 31, 9, 30, 0, 0, time.UTC)
	r, err := c.Send(t.Context(), postrider.Email{
		From: "a@example.com", To: []string{"b@example.com"}, Cc: []string{"c@example.com"}, Bcc: []string{"d@example.com"},
		ReplyTo: []string{"e@example.com"}, Subject: "s", Text: "t", HTML: "<p>", Headers: map[string]string{"X-A": "1"},
		Attachments: []postrider.Attachment{{Filename: "a", Content: []byte{0, 255}, ContentType: "image/png", ContentID: "logo"}},
		Tags:        []postrider.Tag{{Name: "n", Value: "v"}}, Metadata: map[string]string{"k": "v"},
		ScheduledAt: at, ExpiresAt: at.Add(time.Hour), Lane: postrider.LaneLow, OnUnknown: postrider.Hold, IdempotencyKey: "order-1",
	})
	if err != nil || !r.Replayed || r.Status != postrider.Scheduled {
		t.Errorf("%+v, %v", r, err)
	}
	want := []call{{"POST /v1/emails", "order-1", `{"from":"a@example.com","to":["b@example.com"],"cc":["c@example.com"],"bcc":["d@example.com"],` +
		`"reply_to":["e@example.com"],"subject":"s","text":"t","html":"\u003cp\u003e","headers":{"X-A":"1"},` +
		`"attachments":[{"filename":"a","content":"AP8=","content_type":"image/png","content_id":"logo"}],` +
		`"tags":[{"name":"n","value":"v"}],"metadata":{"k":"v"},` +
		`"scheduled_at":"2030-01-31T09:30:00Z","expires_at":"2030-01-31T10:30:00Z","lane":"low","on_unknown":"hold"}`}}
	if diff := cmp.Diff(want, *calls); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalIsTyped(t *testing.T) {
	c, calls := server(t, `422 {"code":"validation_error","detail":"1 field is not right","request_id":"r1",
		"errors":[{"pointer":"/to/0","code":"invalid_address","detail":"has no @"}]}`)
	_, err := c.Send(t.Context(), letter)
	var refused *postrider.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	want := postrider.Error{
		Status: 422, Code: "validation_error", Detail: "1 field is not right", RequestID: "r1",
		Fields: []postrider.FieldError{{Pointer: "/to/0", Code: "invalid_address", Detail: "has no @"}},
	}
	if diff := cmp.Diff(want, *refused); diff != "" || len(*calls) != 1 {
		t.Errorf("%d calls, %s", len(*calls), diff)
	}
	if text := err.Error(); !strings.Contains(text, "/to/0: has no @") || strings.Contains(text, "secret-key") {
		t.Error(text)
	}
}

func TestTheOtherCalls(t *testing.T) {
	c, calls := server(t, `200 {"recipients":2,"has_more":true,"data":[{"id":"a"}],"id":"m","status":"sent","html":null,"expires_at":null,
		"counts":{"sent":1},"recipients":2}`)
	n, err := c.Cancel(t.Context(), "a/../b")
	m, err2 := c.Retry(t.Context(), "id")
	k, err3 := c.Reschedule(t.Context(), "id", time.Date(2030, 1, 31, 9, 30, 0, 0, time.UTC))
	page, err4 := c.List(t.Context(), postrider.Query{Status: postrider.Failed, After: "a", Before: "b", Limit: 5})
	if err := errors.Join(err, err2, err3, err4); err != nil || n != 2 || m != 2 || k != 2 || !page.HasMore || page.Messages[0].ID != "a" {
		t.Errorf("%d %d %d %+v %v", n, m, k, page, err)
	}
	want := []call{
		{"POST /v1/emails/a%2F..%2Fb/cancel", "", ""}, {"POST /v1/emails/id/retry", "", ""},
		{"PATCH /v1/emails/id", "", `{"scheduled_at":"2030-01-31T09:30:00Z"}`},
		{"GET /v1/emails?after=a&before=b&limit=5&status=failed", "", ""},
	}
	if diff := cmp.Diff(want, *calls); diff != "" {
		t.Error(diff)
	}
}

func TestAClientNeedsAnAddressAndAKey(t *testing.T) {
	for _, c := range []postrider.Config{
		{Key: "k"}, {URL: "localhost:8080", Key: "k"}, {URL: "http://", Key: "k"}, {URL: "ftp://h", Key: "k"},
		{URL: "http://user:pw@h", Key: "k"}, {URL: "http://h?x=1", Key: "k"}, {URL: "http://h"},
	} {
		if _, err := postrider.NewClient(c); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	c, err := postrider.NewClient(postrider.Config{URL: "http://127.0.0.1:1", Key: "k", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), letter); !errors.Is(err, postrider.ErrUnreachable) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if _, err := c.Get(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestTextThatIsNotUTF8IsNotSent(t *testing.T) {
	c, calls := server(t, taken)
	damaged := letter
	damaged.Text = "Gr\xfc\xdfe"
	if _, err := c.Send(t.Context(), damaged); err == nil || !strings.Contains(err.Error(), "Text is not") || len(*calls) != 0 {
		t.Errorf("%v, %v", err, *calls)
	}
	if _, err := postrider.Enqueue(t.Context(), nil, damaged); !errors.Is(err, postrider.ErrInvalid) {
		t.Error(err)
	}
}

func TestAURLHasNothingBehindItsPath(t *testing.T) {
	for _, wrong := range []string{"http://h/?", "http://h/#", "http://h?x=1", "http://u:p@h", "ftp://h", "h:8080", ""} {
		if _, err := postrider.NewClient(postrider.Config{URL: wrong, Key: "k"}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
