package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

// accepterFunc is an accepter of one function.
type accepterFunc func(context.Context) (message.Acceptance, error)

func (f accepterFunc) Accept(ctx context.Context, _ *message.Grant, _ *message.Draft, _ string, _ [32]byte) (message.Acceptance, error) {
	return f(ctx)
}

func accepting(f accepterFunc) setting {
	return func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports { ports.Accept = f; return ports }
	}
}

func TestWithoutTheDatabaseEverythingSaysSo(t *testing.T) {
	w := newWorld(t)
	id := w.post()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, request := range [][3]string{
		{"POST", "/v1/emails", email()},
		{"GET", "/v1/emails", ""},
		{"GET", "/v1/emails/" + id, ""},
		{"POST", "/v1/emails/" + id + "/cancel", ""},
		{"POST", "/v1/emails/" + id + "/retry", ""},
		{"PATCH", "/v1/emails/" + id, inAnHour()},
	} {
		a := w.do(request[0], request[1], request[2])
		if a.want(t, 503, "unavailable"); a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", request[0], request[1])
		}
	}
	w.do("GET", "/healthz", "").want(t, 200, "")
}

func TestAnUnknownErrorIsHiddenAndLogged(t *testing.T) {
	secret := errors.New("password=hunter2")
	w := newWorld(t, accepting(func(context.Context) (message.Acceptance, error) { return message.Acceptance{}, secret }))
	a := w.do("POST", "/v1/emails", email(), "X-Request-Id", "my-request-1")
	a.want(t, 500, "internal_error")
	if strings.Contains(string(a.body), "hunter2") || a.text("request_id") != "my-request-1" {
		t.Errorf("%s", a.body)
	}
	if log := strings.Join(w.log.all(), "\n"); !strings.Contains(log, "hunter2") || !strings.Contains(log, "my-request-1") {
		t.Errorf("log %s", log)
	}
}

func TestAPanicIsTheAnswerToOneRequest(t *testing.T) {
	w := newWorld(t, accepting(func(context.Context) (message.Acceptance, error) { panic("oops") }))
	a := w.do("POST", "/v1/emails", email())
	a.want(t, 500, "internal_error")
	if strings.Contains(string(a.body), "oops") {
		t.Errorf("%s", a.body)
	}
	if log := w.log.all(); len(log) != 1 || !strings.Contains(log[0], "oops") || !strings.Contains(log[0], "trouble_test.go") {
		t.Errorf("log %s", log)
	}
	w.do("GET", "/v1/emails", "").want(t, 200, "")
}

func TestTheLogIsOneEscapedLinePerRequest(t *testing.T) {
	w := newWorld(t)
	evil := "\n{\"level\":\"error\"}\x1b[2J%s%n"
	escaped := "%0A%7B%22level%22%3A%22error%22%7D%1b[2J%25s%25n"
	w.do("POST", "/v1/emails", email(`"subject":`+quote(evil), `"metadata":{"a":`+quote(evil)+`}`, `"from":`+quote(evil)))
	w.do("POST", "/v1/emails", email(`"text":`+quote("secret body"+evil)), "Idempotency-Key", "key-%s%n")
	w.do("GET", "/v1/emails/"+escaped, "", "User-Agent", "x%s%n", "X-Request-Id", `"},{"level":"error"`)
	w.do("GET", "/v1/emails?status="+escaped+"&key="+keyA, "")
	w.do("GET", "/"+strings.Repeat("x", 10_000), "", "Authorization", "Bearer "+keyB)
	log := w.log.all()
	if len(log) != 5 {
		t.Errorf("%d lines, want 5", len(log))
	}
	for _, line := range log {
		var parsed map[string]any
		if err := json.Unmarshal([]byte(line), &parsed); err != nil || parsed["msg"] != "request" || parsed["level"] != "INFO" {
			t.Errorf("%v: %s", err, line)
		}
		for _, secret := range []string{keyA, keyB, "secret body", "\x1b"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q is in %s", secret, line)
			}
		}
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestACallerThatLeavesIsNoFaultOfOurs(t *testing.T) {
	taken := make(chan struct{})
	w := newWorld(t, accepting(func(ctx context.Context) (message.Acceptance, error) {
		close(taken)
		<-ctx.Done()
		return message.Acceptance{}, ctx.Err()
	}))
	c := dial(t, w, head("Content-Length: "+strconv.Itoa(len(email())))+email())
	<-taken
	_ = c.Close()
	if err := w.server.Stop(t.Context()); err != nil { // returns when the request has ended
		t.Fatal(err)
	}
	if log := w.log.all(); len(log) != 1 || !strings.Contains(log[0], `"level":"INFO"`) || !strings.Contains(log[0], `"code":"unavailable"`) {
		t.Errorf("log %s", log)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s) // a string always can
	return string(text)
}

func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	if a := w.do("GET", "/", "", "X-Request-Id", "trace-0123_ab.c"); a.header.Get("X-Request-Id") != "trace-0123_ab.c" {
		t.Errorf("a sane id was not kept: %q", a.header.Get("X-Request-Id"))
	}
	for _, bad := range []string{"short", "with space 1234", `{"quoted":"1234"}`, strings.Repeat("x", 65)} {
		if a := w.do("GET", "/", "", "X-Request-Id", bad); a.header.Get("X-Request-Id") == bad || len(a.header.Get("X-Request-Id")) != 36 {
			t.Errorf("%q gave %q", bad, a.header.Get("X-Request-Id"))
		}
	}
}

func TestReadinessNamesWhatIsWrong(t *testing.T) {
	for _, row := range []struct {
		checks  []httpapi.Check
		status  int
		overall string
	}{
		{nil, 200, "ok"},
		{[]httpapi.Check{{Name: "database", Status: httpapi.CheckOK}}, 200, "ok"},
		{[]httpapi.Check{{Name: "rabbitmq", Status: httpapi.CheckDegraded, Detail: "away", Remedy: "start it"}, {Name: "database", Status: httpapi.CheckOK}}, 200, "degraded"},
		{[]httpapi.Check{{Name: "database", Status: httpapi.CheckDown}, {Name: "rabbitmq", Status: httpapi.CheckDegraded}}, 503, "down"},
	} {
		w := newWorld(t)
		w.checks.set(row.checks...)
		a := w.do("GET", "/readyz", "", "Authorization", "-")
		a.want(t, row.status, "")
		if list, _ := a.json["checks"].([]any); a.text("status") != row.overall || len(list) != len(row.checks) {
			t.Errorf("%s, want %s and %d checks", a.body, row.overall, len(row.checks))
		}
	}
}

func TestTheServiceDescribesItself(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/openapi.json", "/healthz", "/readyz"} {
		a := w.do("GET", path, "", "Authorization", "-")
		a.want(t, 200, "")
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: header %v", path, a.header)
		}
		w.do("HEAD", path, "").want(t, 200, "")
	}
}

func TestNoKeyIsNoAPI(t *testing.T) {
	if _, err := httpapi.New(httpapi.Config{}, httpapi.Ports{}); err == nil {
		t.Error("an API without keys was made")
	}
}

func TestBodiesTogetherAreBound(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	w := newWorld(t, func(p *plan) { p.api.MemoryBytes = 300 << 10 },
		accepting(func(context.Context) (message.Acceptance, error) {
			if calls.Add(1) == 1 {
				close(held)
				<-free
			}
			return message.Acceptance{ID: message.NewID()}, nil
		}))
	large := email(`"text":"` + strings.Repeat("x", 150<<10) + `"`)
	first := make(chan answer, 1)
	go func() { first <- w.do("POST", "/v1/emails", large) }()
	<-held
	a := w.do("POST", "/v1/emails", large)
	if a.want(t, 503, "overloaded"); a.header.Get("Retry-After") == "" {
		t.Errorf("header %v", a.header)
	}
	w.do("POST", "/v1/emails", email()).want(t, 202, "") // small ones still fit
	close(free)
	a = <-first
	a.want(t, 202, "")
	w.do("POST", "/v1/emails", large).want(t, 202, "") // and all was given back
}

// dial opens a connection that sends text, and nothing more.
func dial(t *testing.T, w *world, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func head(lines ...string) string {
	return "POST /v1/emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + keyA + "\r\nContent-Type: application/json\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// hears reads the answer on a connection of its own and whether the server then
// closes it.
func hears(t *testing.T, c net.Conn) (status int, code string) {
	t.Helper()
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var p struct{ Code string }
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Peek(1); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the connection stays open: %v", err)
	}
	return r.StatusCode, p.Code
}

func TestLyingAndEndlessBodies(t *testing.T) {
	limits := message.DefaultLimits()
	limits.MessageBytes = 100_000
	// What the server says by itself has more time: on a busy machine a short one may be over
	// before it has read what was sent. One that never ends is read that long.
	quick := newWorld(t, limited(limits), func(p *plan) { p.server.ReadTimeout = 3 * time.Second })
	slow := newWorld(t, limited(limits), func(p *plan) { p.server.ReadTimeout = time.Second })
	for name, row := range map[string]struct {
		sent   string
		status int
		code   string
	}{
		"announces too much":      {head("Content-Length: 999999999"), 413, "body_too_large"},
		"announces more than all": {head("Content-Length: 9000"), 408, "request_timeout"},
		"announces less":          {head("Content-Length: 9", "Connection: close") + email(), 400, "invalid_json"},
		"chunks without end":      {head("Transfer-Encoding: chunked") + strings.Repeat("4000\r\n"+strings.Repeat(" ", 0x4000)+"\r\n", 12), 413, "body_too_large"},
		"chunks that stop":        {head("Transfer-Encoding: chunked") + "4\r\n{\"to\r\n", 408, "request_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := quick
			if row.status == http.StatusRequestTimeout {
				w = slow
			}
			if status, code := hears(t, dial(t, w, row.sent)); status != row.status || code != row.code {
				t.Errorf("%d %s, want %d %s", status, code, row.status, row.code)
			}
		})
	}
	if n := quick.stored() + slow.stored(); n != 0 {
		t.Errorf("%d messages stored, want 0", n)
	}
}

func TestManySlowPeersStopNobody(t *testing.T) {
	// All peers could only be waited for, one by one.
	const turn, soon = 10 * time.Minute, time.Minute
	w := newWorld(t, func(p *plan) { p.api.MemoryBytes, p.server.HeaderTimeout, p.server.ReadTimeout = 1<<20, turn, turn })
	for i := range 500 {
		if i%2 == 0 {
			dial(t, w, "POST /v1/emails HTTP/1.1\r\nHost: x\r\nX-Slow")
		} else {
			dial(t, w, head("Content-Length: 30000000"))
		}
	}
	begun := time.Now()
	for i := range 20 {
		w.do("POST", "/v1/emails", email(fmt.Sprintf(`"subject":"%d"`, i))).want(t, 202, "")
	}
	if took := time.Since(begun); took > soon {
		t.Errorf("20 emails beside 500 slow peers took %v", took)
	}
	closed := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := w.server.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v, want the deadline's error", err)
	}
	if took := time.Since(closed); took > soon {
		t.Errorf("Stop beside 500 slow peers took %v", took)
	}
}
