package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/httpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for an answer. Reaching it is a failure.
const patience = time.Minute

func start(t *testing.T, c httpserver.Config, h http.HandlerFunc) *httpserver.Server {
	t.Helper()
	c.Addr = "127.0.0.1:0"
	s := httpserver.New(c, h)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func get(t *testing.T, addr string) (int, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := client.Get("http://" + addr)
	if err != nil {
		return 0, err
	}
	return r.StatusCode, r.Body.Close()
}

func TestItServesAtTheAddressItTells(t *testing.T) {
	s := start(t, httpserver.Config{}, hello)
	if code, err := get(t, s.Addr()); err != nil || code != 200 {
		t.Errorf("%d, %v", code, err)
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	first := start(t, httpserver.Config{}, hello)
	second := httpserver.New(httpserver.Config{Addr: first.Addr()}, http.HandlerFunc(hello))
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), first.Addr()) {
		t.Errorf("error %v, want one that names the address", err)
	}
	if err := errors.Join(second.Stop(t.Context()), second.Stop(t.Context())); err != nil {
		t.Errorf("Stop without Start: %v", err)
	}
}

func TestStopLetsTheRequestInHandEnd(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := start(t, httpserver.Config{}, func(http.ResponseWriter, *http.Request) { close(begun); <-end })
	answered := make(chan error, 1)
	go func() { _, err := get(t, s.Addr()); answered <- err }()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	close(end)
	if err := errors.Join(<-answered, <-stopped); err != nil {
		t.Error(err)
	}
	if _, err := get(t, s.Addr()); err == nil {
		t.Error("still serving after Stop")
	}
}

func TestStopIsBound(t *testing.T) {
	begun := make(chan struct{})
	s := start(t, httpserver.Config{}, func(_ http.ResponseWriter, r *http.Request) { close(begun); <-r.Context().Done() })
	go func() { _, _ = get(t, s.Addr()) }()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v, want the deadline's error", err)
	}
}

func TestStartAndStopUnderStress(t *testing.T) {
	for range 50 {
		s := httpserver.New(httpserver.Config{Addr: "127.0.0.1:0"}, http.HandlerFunc(hello))
		var calls sync.WaitGroup
		calls.Go(func() { _ = s.Start(context.Background()) }) // may come after a Stop
		for range 3 {
			calls.Go(func() {
				if err := s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// raw sends text and returns the status line of the answer, or "" when the
// server closed the connection without one.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text) // the server may answer and close before all is written
	line, err := bufio.NewReader(c).ReadString('\n')
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the server keeps the connection open")
	}
	return strings.TrimSpace(line)
}

func TestHeadersAreBound(t *testing.T) {
	s := start(t, httpserver.Config{}, hello)
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	for name, header := range map[string]string{
		"1 MB in one":    "X-Large: " + strings.Repeat("x", 1<<20) + "\r\n",
		"10,000 of them": many.String(),
	} {
		if got := raw(t, s.Addr(), "GET / HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431") {
			t.Errorf("%s: %q, want 431", name, got)
		}
	}
	fits := "X-Large: " + strings.Repeat("x", 24<<10) + "\r\nConnection: close\r\n"
	if got := raw(t, s.Addr(), "GET / HTTP/1.1\r\nHost: x\r\n"+fits+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("24 kB: %q, want 200", got)
	}
}

func TestASlowHeaderEndsTheConnection(t *testing.T) {
	s := start(t, httpserver.Config{HeaderTimeout: 50 * time.Millisecond}, hello)
	if got := raw(t, s.Addr(), "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); got != "" && !strings.Contains(got, "408") {
		t.Errorf("%q, want a closed connection", got)
	}
}
