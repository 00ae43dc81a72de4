package exchange

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func refusal(status int, code string, after time.Duration) error {
	return &Problem{Status: status, Code: code, RetryAfter: after}
}

func TestWhatIsRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		keyed, once bool // whether it is repeated with a key, and without
	}{
		"no answer":         {ErrUnreachable, true, false},
		"503 of the server": {refusal(503, "unavailable", 0), true, true},
		"503 of a proxy":    {refusal(503, CodeStranger, 0), true, false},
		"429":               {refusal(429, "rate_limit_exceeded", 0), true, true},
		"502":               {refusal(502, CodeStranger, 0), true, false},
		"504":               {refusal(504, CodeStranger, 0), true, false},
		"another email":     {refusal(409, "invalid_idempotent_request", 0), false, false},
		"422":               {refusal(422, "validation_error", 0), false, false},
		"500":               {refusal(500, "internal", 0), false, false},
		"another error":     {errors.New("x"), false, false},
	} {
		_, keyed := mayPass(c.err, false)
		_, once := mayPass(c.err, true)
		if keyed != c.keyed || once != c.once {
			t.Errorf("%s: repeated with a key %v, without %v", name, keyed, once)
		}
	}
}

// tries counts how often a step that fails with err is taken, and for how long.
func tries(t *testing.T, config Config, limit time.Duration, err error) (n int, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		begun := time.Now()
		if got := New(config).patiently(ctx, false, func() error { n++; return err }); !errors.Is(got, err) {
			t.Errorf("%v", got)
		}
		took = time.Since(begun)
	})
	return n, took
}

func TestPauses(t *testing.T) {
	away := refusal(503, "unavailable", 0)
	if n, took := tries(t, Config{}, 0, away); n != 1 || took != 0 {
		t.Errorf("without patience: %d tries in %v", n, took)
	}
	if n, took := tries(t, Config{Patience: time.Minute}, 0, away); n < 10 || n > 80 || took > time.Minute {
		t.Errorf("in a minute: %d tries in %v", n, took)
	}
	if n, took := tries(t, Config{Patience: time.Hour}, 10*time.Second, away); n < 3 || took > 10*time.Second {
		t.Errorf("with a context of 10 s: %d tries in %v", n, took)
	}
	asked := refusal(429, "rate_limit_exceeded", 20*time.Second)
	if n, took := tries(t, Config{Patience: time.Minute}, 0, asked); n != 3 || took < 40*time.Second {
		t.Errorf("told to wait 20 s: %d tries in %v", n, took)
	}
	if n, took := tries(t, Config{Patience: 10 * time.Second}, 0, asked); n != 1 || took != 0 {
		t.Errorf("told to wait longer than it would: %d tries in %v", n, took)
	}
}

func TestNoClientFollowsRedirects(t *testing.T) {
	stolen := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen = true }))
	defer thief.Close()
	server := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	e := New(Config{URL: server.URL, Key: "secret", HTTP: &http.Client{}})
	var p *Problem
	if _, err := e.Do(t.Context(), Request{Method: http.MethodGet, Path: "/"}, nil); !errors.As(err, &p) || p.Status != 307 || stolen {
		t.Errorf("%v, followed: %v", err, stolen)
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	response := &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"99999999999999"}}}
	if p := problemOf(response, nil); p.RetryAfter <= 0 || time.Now().Add(p.RetryAfter).Year() > time.Now().Year()+2 {
		t.Errorf("%v", p.RetryAfter)
	}
}

// A key that was read from a file with its line break reaches no server, however often.
func TestWhatNoHeaderCanHoldIsNotRepeated(t *testing.T) {
	for name, c := range map[string]struct{ key, idempotency string }{
		"API key": {"secret\n", "once"}, "idempotency key": {"secret", "a\x00b"},
	} {
		e := New(Config{URL: "http://127.0.0.1:1", Key: c.key, Patience: 2 * time.Second})
		begun := time.Now()
		_, err := e.Do(t.Context(), Request{Method: http.MethodPost, Path: "/", Key: c.idempotency}, nil)
		if err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") || time.Since(begun) > time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(begun))
		}
	}
}

func TestAProblemNamesPlacesWhereThereAreSome(t *testing.T) {
	p := Problem{Status: 422, Code: "validation_error", Detail: "2 fields are not right", Fields: []Fault{{Detail: "give at least one email"}, {Pointer: "/0/to", Detail: "is missing"}}}
	if got := p.Error(); got != "the server refused: 422 validation_error: 2 fields are not right\n  give at least one email\n  /0/to: is missing" {
		t.Error(got)
	}
	p = Problem{Status: 400, Code: "duplicate_key", Detail: "a name is given twice", Fields: []Fault{{Pointer: "/to", Detail: "a name is given twice"}}}
	if got := p.Error(); got != "the server refused: 400 duplicate_key: /to: a name is given twice" {
		t.Error(got)
	}
}
