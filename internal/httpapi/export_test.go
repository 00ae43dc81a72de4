package httpapi_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

func table(t *testing.T, body []byte) (head []string, rows [][]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v: %.500q", err, body)
	}
	return all[0], all[1:]
}

func TestAnExportHasEveryRecipientOnce(t *testing.T) {
	w := newWorld(t)
	const emails = 230 // some pages of the store
	for i := range emails {
		w.post(fmt.Sprintf(`"to":["a%d@example.com","b%d@example.com"]`, i, i))
	}
	tagged := w.post(`"tags":[{"name":"kind","value":"order"}]`, `"metadata":{"order":"4711"}`, `"subject":"Grüße, \"Ann\""`)
	a := w.do("GET", "/v1/emails.csv", "")
	a.want(t, 200, "")
	if media := a.header.Get("Content-Type"); media != "text/csv; charset=utf-8; header=present" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v", a.header)
	}
	head, rows := table(t, a.body)
	at := slices.Index(head, "recipient")
	seen := map[string]int{}
	for _, row := range rows {
		seen[row[at]]++
	}
	if len(rows) != 2*emails+1 || len(seen) != 2*emails+1 || rows[0][0] != tagged {
		t.Errorf("%d rows, %d recipients, first %v", len(rows), len(seen), rows[0])
	}
	_, some := table(t, w.do("GET", "/v1/emails.csv?tag=kind:order", "").body)
	if len(some) != 1 {
		t.Fatalf("%v", some)
	}
	cell := func(name string) string { return some[0][slices.Index(head, name)] }
	if cell("tags") != "kind:order" || cell("metadata") != `{"order":"4711"}` || cell("subject") != `Grüße, "Ann"` || cell("status") != "queued" {
		t.Errorf("%v", some[0])
	}
	if _, none := table(t, w.do("GET", "/v1/emails.csv?tag=nothing", "").body); len(none) != 0 {
		t.Errorf("%v", none)
	}
	if _, none := table(t, w.do("GET", "/v1/emails.csv", "", "Authorization", "Bearer "+keyB).body); len(none) != 0 {
		t.Errorf("tenant B has %v", none)
	}
	for _, paging := range []string{"limit=1", "after=" + tagged, "before=" + tagged} {
		w.do("GET", "/v1/emails.csv?"+paging, "").want(t, 422, "validation_error")
	}
}

// TestNoSpreadsheetTakesACellForAFormula is row 70 of what strangers send.
func TestNoSpreadsheetTakesACellForAFormula(t *testing.T) {
	w := newWorld(t)
	for _, subject := range []string{
		"=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", " =1", `"=1`, `" =1`, "'=1", "\u00a0=1", "\u200b=1", "＝1", "a;=1", "a; \"=1", "a\t+1",
	} {
		text, _ := json.Marshal(subject)
		w.post(`"subject":`+string(text), `"to":"-x@example.com"`, `"metadata":{"a":";=1"}`)
	}
	a := w.do("GET", "/v1/emails.csv", "")
	_, rows := table(t, a.body)
	if len(rows) != 15 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '\t' || r == '\r' || r == '\n' }) {
				bare := strings.TrimLeft(part, " \"\u00a0\u200b")
				if strings.HasPrefix(bare, "=") || strings.HasPrefix(bare, "+") || strings.HasPrefix(bare, "-") || strings.HasPrefix(bare, "@") || strings.HasPrefix(bare, "＝") {
					t.Errorf("%q has a part %q", cell, part)
				}
			}
			if strings.HasPrefix(cell, "\t") {
				t.Errorf("%q begins with a tab", cell)
			}
		}
	}
	_, plain := table(t, w.do("GET", "/v1/emails.csv?recipient=-x@example.com&subject=cmd", "").body)
	if len(plain) != 1 || !slices.Contains(plain[0], "'=cmd|' /C calc'!A0") || !slices.Contains(plain[0], "'-x@example.com") {
		t.Errorf("%v", plain)
	}
}

// failing answers the first page, and then no more.
type failing struct {
	port
	pages int
}

func (f *failing) Emails(ctx context.Context, filter message.Filter) (message.Page, error) {
	if f.pages++; f.pages > 1 {
		return message.Page{}, message.ErrUnavailable
	}
	page, err := f.port.Emails(ctx, filter)
	page.HasMore, page.Next = true, message.NewID()
	return page, err
}

func TestAnExportThatFailsDoesNotLookComplete(t *testing.T) {
	failed := &failing{}
	w := newWorld(t, func(p *plan) {
		p.ports = func(ports httpapi.Ports) httpapi.Ports {
			failed.port, ports.Emails = ports.Emails, failed
			return ports
		}
	})
	w.post()
	w.do("HEAD", "/v1/emails.csv", "").want(t, 200, "") // reads one page
	failed.pages = 0
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.addr+"/v1/emails.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+keyA)
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil || !strings.Contains(string(body), "b@example.com") {
		t.Errorf("read %q without an error", body)
	}
	if all := strings.Join(w.log.all(), "\n"); !strings.Contains(all, "export broken off") {
		t.Errorf("the log says %s", all)
	}
}
