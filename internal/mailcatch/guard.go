package mailcatch

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// strictPolicy is what a response gets that says nothing else: it may load,
// run and be framed by nothing.
const strictPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard stands before every route. The inbox has no login; what keeps other
// web sites out of it is that their pages cannot name it (Host), change it
// (cross-origin writes) or read it (no CORS, own-origin resources).
func (i *Inbox) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	listen := i.cfg.HTTPListen
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", strictPolicy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Not no-referrer: the page's own forms would then post a null origin.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !hostAllowed(r.Host, listen) {
			http.Error(w, "This inbox answers only under the address it listens on, or localhost.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostAllowed stops DNS rebinding: a foreign page may point its own name at
// this address, but then that name is the Host. Numbers cannot be rebound, so
// an inbox on all interfaces answers to every number.
func hostAllowed(host, listen string) bool {
	name := hostname(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	bound := hostname(listen)
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return name != "" && name == bound
	}
	if ip.Unmap().IsLoopback() {
		return true
	}
	boundIP, err := netip.ParseAddr(bound)
	if err != nil {
		return bound == ""
	}
	return boundIP.IsUnspecified() || boundIP.Unmap() == ip.Unmap()
}

// hostname is host without port, brackets, case and final dot.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
