package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testKey = "0123456789abcdef"

// serve answers with the handlers in turn, the last one for ever, and records
// the requests it saw.
func serve(t *testing.T, handlers ...http.HandlerFunc) (*Client, *[]*http.Request) {
	t.Helper()
	return serveTo(t, Config{}, handlers...)
}

func serveTo(t *testing.T, config Config, handlers ...http.HandlerFunc) (*Client, *[]*http.Request) {
	t.Helper()
	var mu sync.Mutex // a client that lost its connection asks again on another
	var seen []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r)
		handler := handlers[min(len(seen), len(handlers))-1]
		mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	config.URL, config.Key = server.URL, testKey
	return New(config), &seen
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const accepted = `{"object":"email","id":"01990000-0000-7000-8000-000000000000","status":"queued"}`

func TestSendRepeatsWithOneKeyWhileTheServerCannotTakeIt(t *testing.T) {
	drop := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	var told []error
	config := Config{Patience: time.Minute, Repeating: func(err error) { told = append(told, err) }}
	c, seen := serveTo(t, config,
		answer(503, `{"code":"unavailable","detail":"the database cannot be reached"}`), drop,
		answer(503, `{"code":"overloaded"}`), answer(202, accepted))
	got, err := c.Send(t.Context(), []byte(`{}`), "k1")
	if err != nil || got.ID != "01990000-0000-7000-8000-000000000000" || got.Status != "queued" || got.Replayed {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(*seen) != 4 || len(told) != 1 {
		t.Errorf("%d posts, told %v", len(*seen), told)
	}
	for _, r := range *seen {
		if r.Header.Get("Idempotency-Key") != "k1" || r.Header.Get("Authorization") != "Bearer "+testKey || r.Header.Get("Content-Type") != "application/json" {
			t.Error(r.Header)
		}
	}
}

func TestSendGivesUpAfterItsPatience(t *testing.T) {
	c, seen := serveTo(t, Config{Patience: 5 * time.Second}, answer(503, `{"code":"unavailable","detail":"away"}`))
	_, err := c.Send(t.Context(), []byte(`{}`), "k")
	var p *Problem
	if !errors.As(err, &p) || !p.Unavailable() || len(*seen) < 2 {
		t.Errorf("%v after %d posts", err, len(*seen))
	}
}

func TestSendDoesNotRepeatARefusal(t *testing.T) {
	c, seen := serve(t, answer(422, `{"code":"validation_error","detail":"2 fields are not right","errors":[
		{"pointer":"/to/0","code":"invalid_address","detail":"has no @"},{"pointer":"/text","code":"empty_body","detail":"is empty"}]}`))
	_, err := c.Send(t.Context(), []byte(`{}`), "k")
	var p *Problem
	if !errors.As(err, &p) || p.Status != 422 || len(p.Fields) != 2 || len(*seen) != 1 {
		t.Fatalf("%v after %d posts", err, len(*seen))
	}
	for _, want := range []string{"422", "2 fields are not right", "/to/0: has no @", "/text: is empty"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestReplayIsTold(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Idempotency-Replayed", "true")
		answer(202, accepted)(w, r)
	})
	if got, err := c.Send(t.Context(), nil, "k"); err != nil || !got.Replayed {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheKeyGoesNowhereElse(t *testing.T) {
	stolen := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen = true }))
	defer thief.Close()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	})
	var p *Problem
	if _, err := c.Email(t.Context(), "x"); !errors.As(err, &p) || p.Code != "unexpected_answer" || stolen {
		t.Errorf("%v, followed: %v", err, stolen)
	}
}

func TestAnswersOfStrangers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"page of a proxy":      answer(502, "<html>Bad Gateway</html>"),
		"page with status 200": answer(200, "<html>Hello</html>"),
		"no body":              answer(500, ""),
	} {
		c, _ := serve(t, handler)
		if _, err := c.Email(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "Postrider server") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	c := New(Config{URL: "http://127.0.0.1:1", Key: testKey})
	if _, err := c.Send(t.Context(), nil, "k"); !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), testKey) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Email(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPathsAndQueries(t *testing.T) {
	two, empty := answer(200, `{"recipients":2}`), answer(200, `{}`)
	c, seen := serve(t, two, two, empty)
	steps := []func() error{
		func() error { n, err := c.Cancel(t.Context(), "a/../b"); return mustBeTwo(n, err) },
		func() error { n, err := c.Retry(t.Context(), "id"); return mustBeTwo(n, err) },
		func() error { _, err := c.Email(t.Context(), "id?x"); return err },
		func() error { _, err := c.Emails(t.Context(), Query{}); return err },
		func() error {
			_, err := c.Emails(t.Context(), Query{Status: "failed", After: "a", Before: "b", Limit: 5})
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
	var got []string
	for _, r := range *seen {
		got = append(got, r.Method+" "+r.RequestURI)
	}
	want := []string{
		"POST /v1/emails/a%2F..%2Fb/cancel", "POST /v1/emails/id/retry", "GET /v1/emails/id%3Fx",
		"GET /v1/emails?", "GET /v1/emails?after=a&before=b&limit=5&status=failed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func mustBeTwo(n int, err error) error {
	if err == nil && n != 2 {
		return errors.New("not 2 recipients")
	}
	return err
}
