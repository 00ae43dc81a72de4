package mailcatch

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/microcosm-cc/bluemonday"
)

// pagePolicy is the CSP of the inbox's own pages: their one stylesheet, one
// script and icon, the event stream, and the preview's frame.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

//go:embed assets
var assets embed.FS

//go:embed templates
var templates embed.FS

// pages serves the inbox to a browser. Everything is rendered here and works
// without scripts; the one script only asks for the list again.
type pages struct {
	box       *mailbox
	views     *viewer
	clean     *bluemonday.Policy
	templates *template.Template
	streams   chan struct{}
	smtpAddr  func() string
}

func (i *Inbox) routes() http.Handler {
	p := &pages{
		box:       i.box,
		views:     i.views,
		clean:     newSanitizer(),
		templates: parseTemplates(),
		streams:   make(chan struct{}, maxStreams),
		smtpAddr:  i.SMTPAddr,
	}
	mux := http.NewServeMux()
	i.routeAPI(mux)
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /mail/{id}", p.mail)
	mux.HandleFunc("POST /delete", p.deleteAll)
	mux.HandleFunc("POST /mail/{id}/delete", p.deleteOne)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /assets/{name}", asset)
	p.routeFiles(mux)
	return mux
}

// parseTemplates panics on a template that does not parse: it is part of the
// program, not input.
func parseTemplates() *template.Template {
	funcs := template.FuncMap{"bytes": bytesText, "clock": clock}
	return template.Must(template.New("").Funcs(funcs).ParseFS(templates, "templates/*.html"))
}

func asset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache") // kept, but asked for again: it changes with the program
	http.ServeFileFS(w, r, assets, "assets/"+r.PathValue("name"))
}

func (p *pages) deleteAll(w http.ResponseWriter, r *http.Request) {
	p.box.clear()
	p.views.forget()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *pages) deleteOne(w http.ResponseWriter, r *http.Request) {
	p.box.remove(r.PathValue("id")) // gone already is as good
	p.views.forget()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// find answers 404 itself when there is no such mail.
func (p *pages) find(w http.ResponseWriter, r *http.Request) (*mail, bool) {
	m, ok := p.box.get(r.PathValue("id"))
	if !ok {
		p.gone(w)
	}
	return m, ok
}

func (p *pages) gone(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_ = p.templates.ExecuteTemplate(w, "gone.html", nil) // fails when the client is gone
}

// render writes a page only once it is whole.
func (p *pages) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "this page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w) // fails when the client is gone
}

func bytesText(n any) string {
	var b float64
	switch n := n.(type) {
	case int:
		b = float64(n)
	case int64:
		b = float64(n)
	}
	switch {
	case b < 1000:
		return fmt.Sprintf("%.0f B", b)
	case b < 1e6:
		return fmt.Sprintf("%.1f kB", b/1e3)
	}
	return fmt.Sprintf("%.1f MB", b/1e6)
}
