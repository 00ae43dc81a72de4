package mailcatch_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/postrider/postrider/internal/mailcatch"
)

// A page of another site whose name was pointed at this machine must get
// nothing, whatever it asks for.
func TestForeignNamesAreRefused(t *testing.T) {
	for _, c := range []struct {
		listen, host string
		allowed      bool
	}{
		{"127.0.0.1:8025", "127.0.0.1:8025", true},
		{"127.0.0.1:8025", "localhost:9999", true},
		{"127.0.0.1:8025", "LOCALHOST", true},
		{"127.0.0.1:8025", "inbox.localhost:8025", true},
		{"127.0.0.1:8025", "[::1]:8025", true},
		{"127.0.0.1:8025", "[::ffff:127.0.0.1]", true},
		{"127.0.0.1:8025", "127.0.0.53", true},
		{"127.0.0.1:8025", "evil.example", false},
		{"127.0.0.1:8025", "127.0.0.1.evil.example:8025", false},
		{"127.0.0.1:8025", "localhost.evil.example", false},
		{"127.0.0.1:8025", "evillocalhost", false},
		{"127.0.0.1:8025", "192.168.1.2:8025", false},
		{"127.0.0.1:8025", "0.0.0.0:8025", false},
		{"127.0.0.1:8025", "", false},
		{"127.0.0.1:8025", "[", false},
		{":8025", "192.168.1.2:8025", true},
		{"0.0.0.0:8025", "192.168.1.2:8025", true},
		{"[::]:8025", "[fd00::2]:8025", true},
		{"0.0.0.0:8025", "evil.example:8025", false},
		{":8025", "", false},
		{"192.168.1.2:8025", "192.168.1.2:8025", true},
		{"192.168.1.2:8025", "192.168.1.3:8025", false},
		{"inbox:8025", "inbox:8025", true},
		{"inbox:8025", "Inbox.", true},
		{"inbox:8025", "192.168.1.2", false},
	} {
		handler := mailcatch.New(mailcatch.Config{HTTPListen: c.listen}).Handler()
		for _, path := range []string{"/", "/api/v2/messages", "/assets/inbox.css"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = c.host
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if allowed := w.Code == http.StatusOK; allowed != c.allowed || !allowed && w.Code != http.StatusForbidden {
				t.Errorf("listening on %s, host %q, %s: %d", c.listen, c.host, path, w.Code)
			}
		}
	}
}

func TestForeignPagesChangeNothing(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, "Subject: x\r\n\r\nx\r\n")
	mail, id := newest(t, i), newestID(t, i)
	foreign := map[string]func(*http.Request){
		"cross-site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"origin":     func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"sandboxed":  func(r *http.Request) { r.Header.Set("Origin", "null") },
	}
	for name, edit := range foreign {
		for path, method := range map[string]string{
			"/delete": http.MethodPost, mail + "/delete": http.MethodPost,
			"/api/v1/messages": http.MethodDelete, "/api/v1/messages/" + id: http.MethodDelete,
		} {
			if a := call(t, i, method, path, edit); a.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d", name, method, path, a.status)
			}
		}
	}
	if n := list(t, i, "/api/v2/messages").Total; n != 1 {
		t.Errorf("%d mails left", n)
	}
	own := func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", "http://"+i.HTTPAddr())
	}
	if a := call(t, i, http.MethodPost, mail+"/delete", own); a.status != http.StatusSeeOther {
		t.Errorf("own page: %d", a.status)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, "Subject: x\r\nContent-Type: text/html\r\n\r\nx\r\n")
	mail := newest(t, i)
	for _, path := range []string{"/", mail, mail + "/preview", mail + "/source", "/mail/none", "/api/v2/messages", "/api/v1/messages/none", "/assets/inbox.js", "/nothing"} {
		h := get(t, i, path).header
		wantContains(t, path, h.Get("Content-Security-Policy"), "default-src 'none'", "base-uri 'none'", "frame-ancestors")
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}
