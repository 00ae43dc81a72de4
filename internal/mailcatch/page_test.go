package mailcatch_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/mailcatch"
)

func TestEmptyInboxTeaches(t *testing.T) {
	i := running(t, mailcatch.Config{})
	page := mustGet(t, i, "/")
	wantContains(t, "page", page.body, "No mail yet", "postrider send", i.SMTPAddr(), "past Postrider")
}

func TestListIsNewestFirstAndPaged(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for n := range 60 {
		post(t, i, fmt.Sprintf("From: Ann <a%02d@example.com>\r\nSubject: =?utf-8?q?n=C2=B0%02d?=\r\n\r\nx\r\n", n, n))
	}
	front := mustGet(t, i, "/").body
	wantContains(t, "first page", front, "60 mails", "n°59", "n°10", "Older", "Ann &lt;a59@example.com&gt;")
	wantNone(t, "first page", front, "n°09", "newer<")
	if strings.Index(front, "n°59") > strings.Index(front, "n°58") {
		t.Error("oldest first")
	}
	back := mustGet(t, i, "/?start=50").body
	wantContains(t, "second page", back, "n°09", "n°00", "Newer", "51–60 of 60")
	wantNone(t, "second page", back, "n°10", "older<")
	found := mustGet(t, i, "/?q=N%C2%B007").body
	wantContains(t, "search", found, "n°07", "1 of 60")
	wantNone(t, "search", found, "n°08")
	wantContains(t, "search", mustGet(t, i, "/?q=nothing").body, "Nothing matches")
	mustGet(t, i, "/?start=9999999&q=")
	mustGet(t, i, "/?start=-1")
}

const twoForms = `From: Shop <shop@example.com>
To: ann@example.com
Subject: order
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=mix

--mix
Content-Type: multipart/alternative; boundary=alt

--alt
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe & <more>
--alt
Content-Type: text/html

<p>rich</p>
--alt--
--mix
Content-Type: text/csv; charset=iso-8859-1
Content-Disposition: attachment; filename="größe.csv"
Content-Transfer-Encoding: base64

Z3L232U7MQ0K
--mix
Content-Type: message/rfc822
Content-Disposition: attachment; filename=inner.eml

Subject: inner

body
--mix--
`

func TestMailIsShownInItsViews(t *testing.T) {
	i := running(t, mailcatch.Config{})
	raw := crlf(twoForms)
	post(t, i, raw, "ann@example.com", "bob@example.com")
	mail := newest(t, i)
	wantContains(t, "page", mustGet(t, i, mail).body, "order", "ann@example.com, bob@example.com", "<iframe", "größe.csv", "inner.eml", "text/csv")
	wantContains(t, "text", mustGet(t, i, mail+"?show=text").body, "Grüße &amp; &lt;more&gt;")
	wantContains(t, "headers", mustGet(t, i, mail+"?show=headers").body, "MIME-Version", "multipart/mixed; boundary=mix")
	wantContains(t, "source", mustGet(t, i, mail+"?show=source").body, "Z3L232U7MQ0K")
	wantContains(t, "preview", mustGet(t, i, mail+"/preview").body, "<p>rich</p>")
	if got := mustGet(t, i, mail+"/source").body; got != raw {
		t.Errorf("source %q", got)
	}
	download := mustGet(t, i, "/api/v1/messages/"+newestID(t, i)+"/download")
	if download.body != raw || !strings.HasPrefix(download.header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("download %v", download)
	}
}

// A file in an old character set comes out as it went in, though the page
// shows texts in UTF-8.
func TestAttachedTextKeepsItsBytes(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, crlf(twoForms))
	mail := newest(t, i)
	csv := mustGet(t, i, mail+"/files/0")
	if csv.body != "gr\xf6\xdfe;1\r\n" {
		t.Errorf("csv %q", csv.body)
	}
	if got := csv.header.Get("Content-Disposition"); got != "attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.csv" {
		t.Errorf("disposition %q", got)
	}
	if eml := mustGet(t, i, mail+"/files/1").body; eml != "Subject: inner\r\n\r\nbody" {
		t.Errorf("eml %q", eml)
	}
}

func TestMailThatIsOneFile(t *testing.T) {
	i := running(t, mailcatch.Config{})
	content := strings.Repeat("\x00\x01\xff", 1000)
	post(t, i, "Subject: pdf\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+content+"\r\n")
	got := mustGet(t, i, newest(t, i)+"/files/0").body
	if sha256.Sum256([]byte(got)) != sha256.Sum256([]byte(content+"\r\n")) {
		t.Error("other bytes")
	}
}

func TestMailOfBareLineFeedsIsRead(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO x")
	say(t, c, 250, "MAIL FROM:<a@example.com>")
	say(t, c, 250, "RCPT TO:<b@example.com>")
	say(t, c, 354, "DATA")
	say(t, c, 250, "From: Ann <ann@example.com>\nSubject: bare\n\nhello\r\n.")
	wantContains(t, "list", mustGet(t, i, "/").body, "bare", "Ann &lt;ann@example.com&gt;")
	wantContains(t, "text", mustGet(t, i, newest(t, i)+"?show=text").body, "hello")
}

func TestNoSuchThing(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, "Subject: x\r\n\r\nx\r\n")
	mail := newest(t, i)
	for path, want := range map[string]int{
		"/mail/none":                          404,
		"/mail/none/preview":                  404,
		"/mail/none/source":                   404,
		"/mail/..%2f..%2fetc":                 404,
		"/mail/%00":                           404,
		"/mail/" + strings.Repeat("x", 9000):  404,
		mail + "/files/0":                     404,
		mail + "/files/-1":                    404,
		mail + "/files/99999999999999999999":  404,
		mail + "/files/x":                     404,
		mail + "/cid/":                        404,
		"/assets/":                            404,
		"/assets/list.html":                   404,
		"/assets/..%2fpage.go":                400,
		"/templates/list.html":                404,
		"/api/v1/messages/none":               404,
		"/api/v1/messages/none/download":      404,
		"/api/v2/nothing":                     404,
		"/api/v2/search?kind=subject&query=x": 400,
		"/api/v2/search?kind=to":              400,
		"/api/v2/search?kind=to&query=" + strings.Repeat("x", 1001): 400,
		"/delete": 405,
	} {
		if a := get(t, i, path); a.status != want {
			t.Errorf("GET %.60s: %d, want %d", path, a.status, want)
		}
	}
	for _, name := range []string{"inbox.css", "inbox.js", "icon.svg"} {
		if a := mustGet(t, i, "/assets/"+name); a.body == "" {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestDeleting(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for range 4 {
		post(t, i, "Subject: x\r\n\r\nx\r\n")
	}
	steps := []struct {
		method, path string
		status, left int
	}{
		{http.MethodDelete, "/api/v1/messages/" + newestID(t, i), 200, 3},
		{http.MethodDelete, "/api/v1/messages/none", 404, 3},
		{http.MethodPost, "/mail/none/delete", 303, 3},
		{http.MethodDelete, "/api/v1/messages", 200, 0},
	}
	for _, s := range steps {
		a := call(t, i, s.method, s.path)
		if left := list(t, i, "/api/v2/messages").Total; a.status != s.status || left != s.left {
			t.Errorf("%s %s: %d with %d left, want %d with %d", s.method, s.path, a.status, left, s.status, s.left)
		}
	}
	post(t, i, "Subject: x\r\n\r\nx\r\n")
	post(t, i, "Subject: x\r\n\r\nx\r\n")
	for _, path := range []string{newest(t, i) + "/delete", "/delete"} {
		if a := call(t, i, http.MethodPost, path); a.status != http.StatusSeeOther || a.header.Get("Location") != "/" {
			t.Errorf("POST %s: %v", path, a)
		}
	}
	if n := list(t, i, "/api/v2/messages").Total; n != 0 {
		t.Errorf("%d left", n)
	}
}

func TestPagingOfTheAPI(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for n := range 60 {
		post(t, i, fmt.Sprintf("Subject: %02d\r\n\r\nx\r\n", n), fmt.Sprintf("to%d@example.com", n%2))
	}
	for path, want := range map[string]string{
		"/api/v2/messages":                                    "60 50 0 59",
		"/api/v2/messages?start=50":                           "60 10 50 09",
		"/api/v2/messages?start=2&limit=3":                    "60 3 2 57",
		"/api/v2/messages?start=60":                           "60 0 60 ",
		"/api/v2/messages?start=-5&limit=-1":                  "60 50 0 59",
		"/api/v2/messages?start=x&limit=99999":                "60 60 0 59",
		"/api/v2/messages?limit=99999999999999999999":         "60 50 0 59",
		"/api/v2/search?kind=to&query=TO1@&limit=2":           "30 2 0 59",
		"/api/v2/search?kind=to&query=to0@example&start=29":   "30 1 29 00",
		"/api/v2/search?kind=from&query=shop@EXAMPLE&limit=1": "60 1 0 59",
		"/api/v2/search?kind=containing&query=07":             "1 1 0 07",
		"/api/v2/search?kind=containing&query=nothing":        "0 0 0 ",
	} {
		m := list(t, i, path)
		newest := ""
		if len(m.Items) > 0 {
			newest = m.Items[0].Content.Headers["Subject"][0]
		}
		if got := fmt.Sprintf("%d %d %d %s", m.Total, m.Count, m.Start, newest); got != want || m.Items == nil || len(m.Items) != m.Count {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if v1 := mustGet(t, i, "/api/v1/messages").body; !strings.HasPrefix(v1, `[{"ID":`) {
		t.Errorf("v1: %.80s", v1)
	}
}

func TestOldestMailsGoFirst(t *testing.T) {
	body := strings.Repeat(strings.Repeat("x", 98)+"\r\n", 100) // 10 kB
	for name, cfg := range map[string]mailcatch.Config{
		"by number": {Keep: 3},
		"by bytes":  {MaxBytes: 20_000, TotalBytes: 35_000},
	} {
		t.Run(name, func(t *testing.T) {
			i := running(t, cfg)
			for n := range 7 {
				post(t, i, fmt.Sprintf("Subject: %d\r\n\r\n%s", n, body))
			}
			var subjects []string
			for _, m := range list(t, i, "/api/v2/messages").Items {
				subjects = append(subjects, m.Content.Headers["Subject"]...)
			}
			if fmt.Sprint(subjects) != "[6 5 4]" {
				t.Errorf("kept %v", subjects)
			}
		})
	}
}
