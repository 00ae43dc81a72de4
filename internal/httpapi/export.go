package httpapi

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// exportStep bounds one page of an export: its reading, and the writing of it to
// a peer that may be slow. An export as a whole has no bound.
const exportStep = 60 * time.Second

// exportEmails answers every email that the filter selects as a table, one line
// for each recipient. It holds one page at a time. What comes in meanwhile is
// newer than its first page and does not stand in it.
//
// Once lines were written there is no status left to tell of a fault: the
// connection breaks off then, so that nobody takes the part for the whole.
func (a *api) exportEmails(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r.URL.RawQuery, filterNames()...)
	if err != nil {
		return err
	}
	filter, err := a.selected(r, q)
	if err != nil {
		return err
	}
	filter.Limit = maxPage
	page, err := a.Emails.Emails(r.Context(), filter)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="emails.csv"`)
	if r.Method == http.MethodHead { // nobody sees the rows
		return nil
	}
	table := csv.NewWriter(w)
	table.UseCRLF = true // RFC 4180
	_ = table.Write(wire.TableHead())
	for err == nil {
		if err = writePage(w, table, &page); err != nil || !page.HasMore {
			break
		}
		filter.After = page.Next
		page, err = a.nextPage(r, filter)
	}
	if err != nil {
		trailOf(r.Context()).err = fmt.Errorf("export broken off: %w", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// writePage sends the page on its way before the next one is read.
func writePage(w http.ResponseWriter, table *csv.Writer, page *message.Page) error {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(exportStep)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for i := range page.Views {
		for _, row := range wire.TableRows(&page.Views[i]) {
			if err := table.Write(row); err != nil {
				return err
			}
		}
	}
	table.Flush()
	return errors.Join(table.Error(), control.Flush())
}

// nextPage is not bound by the time of one request, but ends with its peer. Past
// that time it learns only by writing that the peer has left.
func (a *api) nextPage(r *http.Request, filter message.Filter) (message.Page, error) {
	if err := r.Context().Err(); errors.Is(err, context.Canceled) {
		return message.Page{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exportStep)
	defer cancel()
	return a.Emails.Emails(ctx, filter)
}
