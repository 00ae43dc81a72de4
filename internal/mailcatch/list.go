package mailcatch

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const mailsPerPage = 50

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

// clock is short for today and has the day for what is older.
func clock(t time.Time) string {
	if time.Since(t) < 20*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 15:04")
}
