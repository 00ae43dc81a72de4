package mailcatch

import (
	"fmt"
	"net/http"
	"net/url"
)

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
