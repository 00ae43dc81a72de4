package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/postrider/postrider/internal/fetch"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a server whose address is allowed; every connection to it is counted.
type host struct {
	*httptest.Server
	conns atomic.Int64
}

func serve(t *testing.T, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewUnstartedServer(handler)
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.conns.Add(1)
		}
	}
	h.Start()
	t.Cleanup(h.Close)
	return h
}

func (h *host) addr() string { return h.Listener.Addr().String() }

func allowing(hosts ...string) *fetch.Fetcher {
	return fetch.New(fetch.Config{Allow: hosts, Program: "postrider/test"})
}

// refused fetches what must not come, and returns what the caller is told.
func refused(t *testing.T, f *fetch.Fetcher, url string) string {
	t.Helper()
	data, err := f.Fetch(t.Context(), url, 1<<20)
	var told *message.FetchError
	if !errors.As(err, &told) || told.Detail == "" {
		t.Errorf("%s: %d bytes, error %v", url, len(data), err)
		return ""
	}
	return told.Detail
}

func TestAFileComesAsItIs(t *testing.T) {
	file := bytes.Repeat([]byte{0, 255, 'x'}, 100_000)
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" || r.UserAgent() != "postrider/test" || r.Method != http.MethodGet {
			t.Errorf("request %s with %v", r.Method, r.Header)
		}
		_, _ = w.Write(file)
	})
	for _, allow := range []string{h.addr(), "127.0.0.1"} {
		data, err := allowing(allow).Fetch(t.Context(), h.URL+"/a.bin", int64(len(file)))
		if err != nil || !bytes.Equal(data, file) {
			t.Errorf("%d bytes, %v", len(data), err)
		}
	}
}

// TestThisNetworkIsNeverDialled holds every spelling of an address that is not
// everybody's. All with a listener are refused without a connection to it.
func TestThisNetworkIsNeverDialled(t *testing.T) {
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(h.addr())
	f := allowing()
	words := map[string]bool{}
	for _, name := range []string{
		"127.0.0.1", "localhost", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "0", "0.0.0.0", "①②⑦.⓪.⓪.①",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "[fe80::1%25lo]", "[fd00::1]", "[fc00::1]", "[fd00:ec2::254]",
		"198.18.0.1", "192.0.0.192", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[ff02::1]", "[2001:db8::1]",
	} {
		for _, url := range []string{"http://" + name + "/", "http://" + name + ":" + port + "/", "https://" + name + "/x"} {
			begun := time.Now()
			words[refused(t, f, url)] = true
			if took := time.Since(begun); took > 4*time.Second {
				t.Errorf("%s was tried for %v", url, took)
			}
		}
	}
	if n := h.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if len(words) != 1 {
		t.Errorf("the words tell addresses apart: %v", words)
	}
}

func TestOddPortsAreNotDialled(t *testing.T) {
	for _, port := range []int{22, 25, 6379, 8080} {
		refused(t, allowing(), fmt.Sprintf("http://1.1.1.1:%d/", port))
	}
}

func TestOnlyPlainURLsOfTheWebAreFetched(t *testing.T) {
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, url := range []string{
		"", "x", "//" + h.addr(), "file:///etc/passwd", "gopher://" + h.addr(), "ftp://" + h.addr() + "/x", "http:///x", "http://user:pw@" + h.addr() + "/",
		"data:text/plain,x", "http://" + h.addr() + "\r\nX: y/", "unix:///run/x.sock",
	} {
		refused(t, allowing(h.addr()), url)
	}
	if n := h.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// resolver answers every question of a name with these addresses.
func resolver(t *testing.T, addresses ...[4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(answer(buf[:n], addresses), peer)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answer(question []byte, addresses [][4]byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	if m.Questions[0].Type == dnsmessage.TypeA {
		for _, a := range addresses {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.AResource{A: a},
			})
		}
	}
	packed, _ := m.Pack() // of a message that was unpacked
	return packed
}

// The address is judged when it is dialled: what a name said before, or says beside it,
// does not matter.
func TestANameThatLeadsIntoThisNetworkIsNotDialled(t *testing.T) {
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(h.addr())
	for name, addresses := range map[string][][4]byte{
		"one private address":       {{127, 0, 0, 1}},
		"all private addresses":     {{10, 0, 0, 1}, {127, 0, 0, 1}},
		"the metadata of the cloud": {{169, 254, 169, 254}},
	} {
		t.Run(name, func(t *testing.T) {
			f := fetch.New(fetch.Config{Resolver: resolver(t, addresses...)})
			refused(t, f, "http://files.example/")
			refused(t, f, "http://files.example:"+port+"/")
		})
	}
	if n := h.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestRedirectsAreJudgedAsTheFirstURL(t *testing.T) {
	inner := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret")) })
	for name, to := range map[string]string{
		"into this network":  inner.URL,
		"to the metadata":    "http://169.254.169.254/latest/meta-data/",
		"to another scheme":  "file:///etc/passwd",
		"to a host of none":  "http:///x",
		"with a login":       "http://user:pw@example.com/",
		"round and round":    "/again",
		"to another's words": "gopher://127.0.0.1:6379/_FLUSHALL",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				outer := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) })
				refused(t, allowing(outer.addr()), outer.URL)
				if n := outer.conns.Load(); n > 4 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
	if n := inner.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestARedirectIsFollowed(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/3" {
			http.Redirect(w, r, map[string]string{"/": "/1", "/1": "/2", "/2": "/3"}[r.URL.Path], http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("file"))
	})
	if data, err := allowing(h.addr()).Fetch(t.Context(), h.URL+"/", 4); err != nil || string(data) != "file" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAnswersThatAreNoFileAreRefused(t *testing.T) {
	endless := func(w http.ResponseWriter) {
		for piece := make([]byte, 64<<10); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		told   string
	}{
		"not found": {http.NotFound, "answers 404"},
		"a part":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }, "answers 206"},
		"10 GB announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000000000")
			endless(w)
		}, "larger than"},
		"never ends":      {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "larger than"},
		"header of 10 MB": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 10<<20)) }, "cannot be had"},
		"compressed":      {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") }, "Content-Encoding"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, "did not arrive whole"},
		"one byte too many": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20+1)) }, "larger than the 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := serve(t, c.answer)
			if told := refused(t, allowing(h.addr()), h.URL); !strings.Contains(told, c.told) {
				t.Errorf("the caller is told %q", told)
			}
		})
	}
}

func TestAHostThatDoesNotAnswerIsLeft(t *testing.T) {
	gone := make(chan struct{})
	h := serve(t, func(http.ResponseWriter, *http.Request) { <-gone })
	defer close(gone)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := allowing(h.addr()).Fetch(ctx, h.URL, 1); err == nil {
		t.Error("fetched")
	}
}
