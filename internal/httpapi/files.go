package httpapi

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// listFiles shows the attachments of an email.
func (a *api) listFiles(w http.ResponseWriter, r *http.Request) error {
	files, err := a.filesOf(r, tenantOf(r))
	if err != nil {
		return err
	}
	page, more, err := filePage(r.URL.RawQuery, files)
	if err != nil {
		return err
	}
	list := wire.FileList{Object: "list", HasMore: more, Data: []wire.File{}}
	for _, f := range page {
		shown, err := a.showFile(r, f)
		if err != nil {
			return err
		}
		shown.Object = ""
		list.Data = append(list.Data, shown)
	}
	return write(w, http.StatusOK, list)
}

func (a *api) getFile(w http.ResponseWriter, r *http.Request) error {
	f, err := a.fileOf(r, tenantOf(r))
	if err != nil {
		return err
	}
	shown, err := a.showFile(r, f)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, shown)
}

func (a *api) filesOf(r *http.Request, tenant int64) ([]message.File, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	return a.Files.Files(r.Context(), tenant, id)
}

func (a *api) fileOf(r *http.Request, tenant int64) (message.File, error) {
	files, err := a.filesOf(r, tenant)
	if err != nil {
		return message.File{}, err
	}
	id, ok := parseID(r.PathValue("attachment_id"))
	at := slices.IndexFunc(files, func(f message.File) bool { return f.ID == id })
	if !ok || at < 0 {
		return message.File{}, fault(codeNotFound, "there is no such attachment")
	}
	return files[at], nil
}

// filePage picks a page of files. Without a limit it is all there are.
func filePage(raw string, files []message.File) (page []message.File, more bool, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, false, fault(message.CodeValidation, "the query string cannot be read")
	}
	q := &query{values: values}
	q.onlyKnown("limit", "after", "before")
	limit := len(files)
	if values.Get("limit") != "" {
		limit = q.limit()
	}
	after, before := q.cursor("after"), q.cursor("before")
	if after != uuid.Nil && before != uuid.Nil {
		q.fault("before", message.CodeInvalidField, "give either after or before")
	}
	if err := q.faults.Err(); err != nil {
		return nil, false, err
	}
	if before != uuid.Nil { // the page next to it: the last ones before it
		page = files[:q.position("before", before, files)]
		return page[max(0, len(page)-limit):], len(page) > limit, q.faults.Err()
	}
	page = files
	if after != uuid.Nil {
		page = files[min(q.position("after", after, files)+1, len(files)):]
	}
	return page[:min(limit, len(page))], len(page) > limit, q.faults.Err()
}

// position finds the file of a cursor.
func (q *query) position(name string, id uuid.UUID, files []message.File) int {
	at := slices.IndexFunc(files, func(f message.File) bool { return f.ID == id })
	if at < 0 {
		q.fault(name, message.CodeInvalidField, "must be the id of an attachment of this email")
	}
	return max(at, 0)
}

// showFile makes a link for whoever may see the file anyway.
func (a *api) showFile(r *http.Request, f message.File) (wire.File, error) {
	expires := a.now().Add(linkLife).Truncate(time.Second)
	token, err := a.links.token(r.Context(), f.TenantID, f.MessageID, f.ID, expires)
	if err != nil {
		return wire.File{}, err
	}
	link := a.baseURL(r) + "/v1/emails/" + f.MessageID.String() + "/attachments/" + f.ID.String() + "/download?token=" + token
	return wire.NewFile(f, link, expires), nil
}

// baseURL is how callers reach this server: as they are told to, or else as this
// one did. The host and X-Forwarded-Proto of a request are the caller's word, but
// only its own answer, which nothing may keep, is made of them.
func (a *api) baseURL(r *http.Request) string {
	if a.public != "" {
		return a.public
	}
	base := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		base.Scheme = "https"
	}
	return base.String()
}

const (
	partPatience = 30 * time.Second // with a peer that takes nothing of a download
	downloadMost = 10 * time.Minute // for the whole of it
)

// download gives the bytes of a file to whoever has the link. Whatever is wrong
// with that, the answer is the same.
func (a *api) download(w http.ResponseWriter, r *http.Request) error {
	gone := fault(codeNotFound, "there is no such file, or the link to it is no longer good")
	id, err := pathID(r)
	file, ok := parseID(r.PathValue("attachment_id"))
	if err != nil || !ok {
		return gone
	}
	tenant, ok, err := a.links.tenant(r.Context(), r.URL.Query().Get("token"), id, file, a.now())
	if err != nil {
		return err
	}
	if !ok {
		return gone
	}
	trailOf(r.Context()).grant = &message.Grant{TenantID: tenant} // it may do nothing else
	f, err := a.fileOf(r, tenant)
	if err != nil {
		return err
	}
	// It may take longer than other requests: only a peer that stops taking is cut off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), downloadMost)
	defer cancel()
	_, data, err := a.FileBytes.OpenAttachment(ctx, tenant, f.MessageID, f.N)
	if err != nil {
		return err
	}
	defer func() { _ = data.Close() }()
	return stream(w, r, f, data)
}

// stream writes the file as something to keep, never to be shown by a browser
// under this server's name. A failure on the way cuts the answer off, which its
// length gives away.
func stream(w http.ResponseWriter, r *http.Request, f message.File, data io.Reader) error {
	first := make([]byte, 64<<10)
	n, err := io.ReadFull(data, first[:min(int64(len(first)), f.Size)])
	if err != nil {
		return err // nothing was written yet
	}
	h := w.Header()
	h.Set("Content-Type", f.ContentType)
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("Content-Disposition", disposition(f.Filename))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := &patient{to: w, control: http.NewResponseController(w)}
	if _, err = out.Write(first[:n]); err == nil {
		_, err = io.Copy(out, data)
	}
	trailOf(r.Context()).err = err
	return nil
}

// disposition names the file; one whose name cannot be written has none.
func disposition(filename string) string {
	if named := mime.FormatMediaType("attachment", map[string]string{"filename": filename}); named != "" {
		return named
	}
	return "attachment"
}

// patient gives the peer time for each part of an answer instead of for all of it.
type patient struct {
	to      io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(partPatience)); err != nil {
		return 0, err
	}
	return p.to.Write(b)
}
