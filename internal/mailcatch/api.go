package mailcatch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

const (
	defaultLimit = 50
	maxLimit     = 250
	maxListV1    = 1000
	maxQuery     = 1000 // bytes of a search
)

func (i *Inbox) routeAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v2/messages", i.listMessages)
	mux.HandleFunc("GET /api/v2/search", i.searchMessages)
	mux.HandleFunc("GET /api/v1/messages", i.listMessagesV1)
	mux.HandleFunc("DELETE /api/v1/messages", i.deleteMessages)
	mux.HandleFunc("GET /api/v1/messages/{id}", i.getMessage)
	mux.HandleFunc("DELETE /api/v1/messages/{id}", i.deleteMessage)
	mux.HandleFunc("GET /api/v1/messages/{id}/download", i.downloadMessage)
}

func (i *Inbox) listMessages(w http.ResponseWriter, r *http.Request) {
	writePage(w, r, i.box.list())
}

func (i *Inbox) searchMessages(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("query")
	match, known := newMatcher(r.URL.Query().Get("kind"), query)
	if !known {
		writeError(w, http.StatusBadRequest, "kind must be from, to or containing")
		return
	}
	if query == "" || len(query) > maxQuery {
		writeError(w, http.StatusBadRequest, fmt.Sprintf("query must have 1 to %d bytes", maxQuery))
		return
	}
	writePage(w, r, filter(i.box.list(), match))
}

// writePage sends the window start, limit of mails.
func writePage(w http.ResponseWriter, r *http.Request, mails []*mail) {
	start := positive(r, "start", 0)
	limit := min(positive(r, "limit", defaultLimit), maxLimit)
	items := window(mails, start, limit)
	setJSON(w)
	if _, err := fmt.Fprintf(w, `{"total":%d,"count":%d,"start":%d,"items":`, len(mails), len(items), start); err != nil {
		return
	}
	if writeItems(w, items) != nil {
		return
	}
	_, _ = io.WriteString(w, "}\n") // the client is gone, if this fails
}

// writeItems encodes one mail after the other: a page of large mails is never
// in memory as a whole.
func writeItems(w io.Writer, mails []*mail) error {
	before := "["
	for _, m := range mails {
		if _, err := io.WriteString(w, before); err != nil {
			return err
		}
		if err := json.NewEncoder(w).Encode(newHogMessage(m)); err != nil {
			return err
		}
		before = ","
	}
	if len(mails) == 0 {
		before = "[]"
	} else {
		before = "]"
	}
	_, err := io.WriteString(w, before)
	return err
}

func (i *Inbox) listMessagesV1(w http.ResponseWriter, _ *http.Request) {
	setJSON(w)
	_ = writeItems(w, window(i.box.list(), 0, maxListV1)) // fails when the client is gone
}

func (i *Inbox) getMessage(w http.ResponseWriter, r *http.Request) {
	m, ok := i.box.get(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "no mail of that id")
		return
	}
	setJSON(w)
	_ = json.NewEncoder(w).Encode(newHogMessage(m)) // fails when the client is gone
}

func (i *Inbox) deleteMessages(w http.ResponseWriter, _ *http.Request) {
	i.box.clear()
	i.views.forget()
	setJSON(w)
}

func (i *Inbox) deleteMessage(w http.ResponseWriter, r *http.Request) {
	if !i.box.remove(r.PathValue("id")) {
		writeError(w, http.StatusNotFound, "no mail of that id")
		return
	}
	i.views.forget()
	setJSON(w)
}

// downloadMessage sends the mail exactly as it was received.
func (i *Inbox) downloadMessage(w http.ResponseWriter, r *http.Request) {
	m, ok := i.box.get(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "no mail of that id")
		return
	}
	setDownload(w, m.id+".eml", m.size())
	w.Header().Set("Content-Type", "message/rfc822")
	_, _ = io.WriteString(w, m.raw) // fails when the client is gone
}

// positive reads a whole number above zero; anything else is the default, as
// in MailHog.
func positive(r *http.Request, name string, fallback int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n <= 0 {
		return fallback
	}
	return n
}

func window(mails []*mail, start, limit int) []*mail {
	start = min(start, len(mails))
	return mails[start:min(start+limit, len(mails))]
}

func setJSON(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
}

func writeError(w http.ResponseWriter, status int, detail string) {
	setJSON(w)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": detail}) // fails when the client is gone
}
