package mailcatch

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

func (p *pages) routeFiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /mail/{id}/preview", p.preview)
	mux.HandleFunc("GET /mail/{id}/cid/{cid}", p.picture)
	mux.HandleFunc("GET /mail/{id}/files/{n}", p.file)
	mux.HandleFunc("GET /mail/{id}/source", p.source)
}

// preview sends the mail's HTML as a document for the sandboxed frame.
func (p *pages) preview(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	html := p.views.of(m).html
	if len(html) > maxHTML {
		html = "" // the page says so and offers the source
	}
	w.Header().Set("Content-Security-Policy", previewPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, previewHead+p.clean.Sanitize(html)) // fails when the client is gone
}

const previewHead = `<!doctype html><html><head><meta charset="utf-8"><title>Preview</title>` +
	`<style>body{margin:16px;font:15px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style></head><body>`

// picture sends an inline image of the mail by its Content-ID.
func (p *pages) picture(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	for _, f := range p.views.of(m).files {
		if f.contentID != "" && f.contentID == r.PathValue("cid") {
			sendPicture(w, r, f)
			return
		}
	}
	http.NotFound(w, r)
}

// sendPicture goes by what the bytes are, not by what the mail calls them:
// only pictures that cannot hold a script.
func sendPicture(w http.ResponseWriter, r *http.Request, f file) {
	kind := http.DetectContentType(f.content)
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp":
	default:
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(f.content)))
	// The sandboxed preview is another origin to the browser.
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(f.content) // fails when the client is gone
}

// file sends a part for saving, never for showing.
func (p *pages) file(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	files := p.views.of(m).files
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(files) {
		http.NotFound(w, r)
		return
	}
	setDownload(w, files[n].name, int64(len(files[n].content)))
	_, _ = w.Write(files[n].content) // fails when the client is gone
}

// source sends the raw mail as plain text.
func (p *pages) source(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, m.raw) // fails when the client is gone
}

// setDownload makes the response a file of that name. FormatMediaType writes
// names beyond ASCII by RFC 2231 and refuses what it cannot write.
func setDownload(w http.ResponseWriter, name string, size int64) {
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if disposition == "" || strings.ContainsAny(disposition, "\r\n") {
		disposition = "attachment"
	}
	h := w.Header()
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
}
