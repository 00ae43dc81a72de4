package mailcatch

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/microcosm-cc/bluemonday"
)

// pagePolicy is the CSP of the inbox's own pages: their one stylesheet, one
// script and icon, the event stream, and the preview's frame.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const mailsPerPage = 50

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

// listPage is what list.html shows.
type listPage struct {
	Mails        []row
	Query        string
	Total, Found int
	From, To     int // the mails shown, counted from 1
	Newer, Older string
	SMTP         string
}

type row struct {
	URL, Sender, Recipients, Subject string
	Size                             int64
	At                               time.Time
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	all := p.box.list()
	found := all
	query, _ := cut(r.URL.Query().Get("q"), maxQuery)
	if query != "" {
		found = filter(all, newPageMatcher(query))
	}
	start := min(positive(r, "start", 0), len(found))
	shownMails := window(found, start, mailsPerPage)
	data := listPage{
		Query: query, Total: len(all), Found: len(found),
		From: start + 1, To: start + len(shownMails),
		SMTP: p.smtpAddr(),
	}
	for _, m := range shownMails {
		data.Mails = append(data.Mails, newRow(m))
	}
	if start > 0 {
		data.Newer = listURL(query, max(start-mailsPerPage, 0))
	}
	if data.To < len(found) {
		data.Older = listURL(query, data.To)
	}
	p.render(w, "list.html", data)
}

func newRow(m *mail) row {
	return row{
		URL: mailURL(m.id), Sender: m.sender, Recipients: shown(strings.Join(m.to, ", ")),
		Subject: m.subject, Size: m.size(), At: m.at,
	}
}

func mailURL(id string) string { return "/mail/" + url.PathEscape(id) }

func listURL(query string, start int) string {
	values := url.Values{}
	if query != "" {
		values.Set("q", query)
	}
	if start > 0 {
		values.Set("start", strconv.Itoa(start))
	}
	return "/?" + values.Encode()
}

// mailPage is what mail.html shows.
type mailPage struct {
	row
	EnvelopeFrom string
	Fields       []field
	FieldsCut    bool
	Show         string // html, text, headers or source
	HasHTML      bool
	HTMLTooLarge bool
	HasText      bool
	Text         string
	Cut          bool
	Files        []fileRow
	Problem      string
	Download     string
}

type fileRow struct {
	URL, Name, Type string
	Size            int
}

func (p *pages) mail(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	v := p.views.of(m)
	data := mailPage{
		row: newRow(m), EnvelopeFrom: shown(m.from),
		HasHTML: v.html != "", HTMLTooLarge: len(v.html) > maxHTML, HasText: v.text != "",
		Download: "/api/v1/messages/" + url.PathEscape(m.id) + "/download",
	}
	if v.err != nil {
		data.Problem = "This mail could not be taken apart; its source is complete."
	}
	for _, f := range v.files {
		data.Files = append(data.Files, fileRow{
			URL:  fmt.Sprintf("%s/files/%d", data.URL, f.n),
			Name: f.name, Type: f.mediaType, Size: len(f.content),
		})
	}
	data.Show = tab(r.URL.Query().Get("show"), data)
	data.fill(m, v)
	p.render(w, "mail.html", data)
}

// tab is the tab asked for, or the one that shows most.
func tab(asked string, data mailPage) string {
	switch asked {
	case "html", "text", "headers", "source":
		return asked
	}
	switch {
	case data.HasHTML:
		return "html"
	case data.HasText || data.Problem == "":
		return "text"
	}
	return "source"
}

// fill adds what the open tab shows, and no more.
func (d *mailPage) fill(m *mail, v *view) {
	switch d.Show {
	case "text":
		d.Text, d.Cut = v.text, v.textCut
	case "source":
		d.Text, d.Cut = cut(m.raw[:min(len(m.raw), maxText+1)], maxText)
	case "headers":
		d.Fields, d.FieldsCut = shownFields(m)
	}
}

// shownFields decodes the header for reading, at most 64 KiB of it.
func shownFields(m *mail) ([]field, bool) {
	head, _ := split(m.raw)
	const most = 64 << 10
	short := head[:min(len(head), most)]
	fields := parseFields(short)
	for i, f := range fields {
		fields[i] = field{Name: shown(f.Name), Value: decoded(f.Value)}
	}
	return fields, len(head) > most
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

// clock is short for today and has the day for what is older.
func clock(t time.Time) string {
	if time.Since(t) < 20*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 15:04")
}
