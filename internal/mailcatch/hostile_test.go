package mailcatch_test

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/mailcatch"
)

func htmlMail(html string) string {
	return "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(html)) + "\r\n"
}

func TestHostileHTMLIsInert(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for _, html := range []string{
		`<script>alert(1)</script>`,
		`<scr<script>ipt>alert(1)</script>`,
		`<img src=x onerror=alert(1)>`,
		`<body onload=alert(1)><p onclick="alert(1)" ONMOUSEOVER=alert(1)>x</p>`,
		`<a href="javascript:alert(1)">x</a><a href="java&#10;script:alert(1)">x</a><a href=" jAvAsCrIpT:alert(1)">x</a>`,
		`<a href="vbscript:x">x</a><a href="data:text/html;base64,PHNjcmlwdD4=">x</a><a href="//evil.example">x</a>`,
		`<svg onload=alert(1)><script>alert(1)</script></svg><math><mtext><mglyph><style><img src=x onerror=alert(1)>`,
		`<iframe src="javascript:alert(1)"></iframe><iframe srcdoc="<script>alert(1)</script>"></iframe><object data=x></object><embed src=x>`,
		`<form action="/delete" method=post><input name=a><button formaction=/delete>x</button></form>`,
		`<meta http-equiv=refresh content="0;url=http://evil.example"><base href="http://evil.example/"><link rel=stylesheet href="http://evil.example/x.css">`,
		`<style>@import "http://evil.example"; body{background:url(http://evil.example)}</style>`,
		`<p style="background:url(http://evil.example/x)">x</p><p style="width:expression(alert(1))">x</p><p style="behavior:\75rl(x)">x</p>`,
		`<img src="http://evil.example/track.gif" srcset="http://evil.example/2x 2x"><img src="//evil.example/t"><td background="http://evil.example/b">`,
		`<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"><video src="http://evil.example/v"><audio src=x></video>`,
		`<!--[if IE]><script>alert(1)</script><![endif]--><noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
		`<img src="cid:x&quot; onerror=&quot;alert(1)"><img src="cid:../../../delete">`,
		"<\x00script>alert(1)</script><img\x0csrc=x\x0conerror=alert(1)>",
		`</body></html><script>alert(1)</script>`,
	} {
		post(t, i, htmlMail(html))
		page := mustGet(t, i, newest(t, i)+"/preview")
		wantContains(t, "policy", page.header.Get("Content-Security-Policy"), "sandbox", "default-src 'none'", "form-action 'none'", "frame-ancestors 'self'")
		wantNone(t, "policy", page.header.Get("Content-Security-Policy"), "allow-scripts", "allow-same-origin", "allow-forms", "script-src", "http")
		_, body, _ := strings.Cut(page.body, "<body>")
		wantNone(t, html, withoutText(body), "script", "onerror", "onload", "onclick", "onmouseover", "<svg", "<iframe", "<object", "<embed", "<form", "<input", "<button",
			"<meta", "<base", "<link", "<style", "url(", "expression", "behavior", "evil.example", "data:text", "<video", "<audio", "background=", "formaction", "/delete\"")
	}
}

// withoutText leaves what is between < and >: text cannot do harm.
func withoutText(html string) string {
	var tags strings.Builder
	for _, after := range strings.Split(html, "<")[1:] {
		tag, _, _ := strings.Cut(after, ">")
		tags.WriteString("<" + tag + ">")
	}
	return tags.String()
}

func TestPreviewIsFramedInASandbox(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, htmlMail(`<p>hi</p>`))
	page := mustGet(t, i, newest(t, i))
	wantContains(t, "page", page.body, `sandbox="allow-popups allow-popups-to-escape-sandbox"`, newest(t, i)+"/preview")
	wantNone(t, "page", page.body, "allow-scripts", "allow-same-origin", "<p>hi</p>")
	wantContains(t, "policy", page.header.Get("Content-Security-Policy"), "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
	wantNone(t, "policy", page.header.Get("Content-Security-Policy"), "unsafe")
}

func TestPreviewKeepsTheLook(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, htmlMail(`<title>T</title><table width="600" bgcolor="#fff"><tr><td style="color:rgb(1, 2, 3); font: 12px/1.5 'Arial'"><a href="https://example.com/confirm?a=1&amp;b=2">go</a></td></tr></table>`))
	_, body, _ := strings.Cut(mustGet(t, i, newest(t, i)+"/preview").body, "<body>")
	wantContains(t, "preview", body, `width="600"`, `bgcolor="#fff"`, `color:rgb(1, 2, 3)`, `href="https://example.com/confirm?a=1&amp;b=2"`, `target="_blank"`, "noreferrer")
	wantNone(t, "preview", body, "title", ">t<")
}

const gif = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="

func related(mediaType, content string) string {
	return crlf("Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<img src=\"cid:logo%20a@x\">\n--b\n" +
		"Content-Type: " + mediaType + "\nContent-ID: <logo a@x>\nContent-Transfer-Encoding: base64\n\n" + content + "\n--b--\n")
}

func TestOwnPicturesAreShown(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, related("image/gif", gif))
	mail := newest(t, i)
	wantContains(t, "preview", mustGet(t, i, mail+"/preview").body, `src="cid/logo%20a@x"`)
	picture := mustGet(t, i, mail+"/cid/logo%20a@x")
	if picture.header.Get("Content-Type") != "image/gif" || base64.StdEncoding.EncodeToString([]byte(picture.body)) != gif {
		t.Errorf("picture: %v", picture)
	}
	if a := get(t, i, mail+"/cid/other"); a.status != http.StatusNotFound {
		t.Errorf("other: %d", a.status)
	}
}

// An SVG or a page is no picture whatever the mail calls it.
func TestPicturesAreOnlyPictures(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for _, content := range []string{`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, `<html><script>alert(1)</script>`, `<?xml version="1.0"?><x/>`, ""} {
		for _, mediaType := range []string{"image/svg+xml", "image/png", "text/html"} {
			post(t, i, related(mediaType, base64.StdEncoding.EncodeToString([]byte(content))))
			if a := get(t, i, newest(t, i)+"/cid/logo%20a@x"); a.status != http.StatusNotFound {
				t.Errorf("%s as %s: %d %s", content, mediaType, a.status, a.header)
			}
		}
	}
}

func TestHostileFileNames(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for header, want := range map[string]string{
		`filename="../../etc/passwd"`:                   "passwd",
		`filename="C:\\temp\\a.txt"`:                    "a.txt",
		`filename="=?utf-8?q?a=0D=0AX-Evil:_1.txt?="`:   "a X-Evil_ 1.txt",
		`filename="=?utf-8?q?inv=E2=80=AEfdp.exe?="`:    "inv_fdp.exe",
		`filename="=?utf-8?q?nul=00.txt?="`:             "nul_.txt",
		`filename*=utf-8''%e4%bd%a0%22%0d%0a%2f%2e.pdf`: "pdf",
		`filename="<img src=x onerror=alert(1)>.html"`:  "<img src=x onerror=alert(1)>.html",
		`filename=""`:    "part-1",
		`filename="..."`: "part-1",
		`filename="` + strings.Repeat("n", 5000) + `.pdf"`: strings.Repeat("n", 60) + "…" + strings.Repeat("n", 55) + ".pdf",
	} {
		post(t, i, crlf("Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\nContent-Disposition: attachment; "+header+"\n\n<script>alert(1)</script>\n--b--\n"))
		mail := newest(t, i)
		file := mustGet(t, i, mail+"/files/0")
		disposition, params, err := mime.ParseMediaType(file.header.Get("Content-Disposition"))
		if err != nil || disposition != "attachment" || params["filename"] != want {
			t.Errorf("%.60s: saved as %q (%v), want %q", header, params["filename"], err, want)
		}
		if file.header.Get("X-Evil") != "" || file.header.Get("Content-Type") != "application/octet-stream" || file.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%.60s: headers %v", header, file.header)
		}
		wantNone(t, "page", mustGet(t, i, mail).body, "<img src=x", "\u202e")
	}
}

func TestHostileHeadersAreText(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, crlf("From: =?utf-8?q?=E2=80=AEmoc.elpmaxe?= <script>alert(1)</script>\nSubject: </title><script>alert(1)</script>=?utf-8?q?=0D=0AX-Evil:_1_=1B[2J?=\n"+
		"X-<b>: \"><img src=x onerror=alert(1)>\n\n</pre><script>alert(1)</script>\n"))
	mail := newest(t, i)
	for _, path := range []string{"/", "/?q=" + "%3Cscript%3E", mail, mail + "?show=text", mail + "?show=headers", mail + "?show=source", mail + "?show=html"} {
		page := mustGet(t, i, path)
		wantNone(t, path, page.body, "<script>", "<img src=x", "</pre><", "\u202e", "\x1b")
		if page.header.Get("X-Evil") != "" {
			t.Error("header injected")
		}
	}
	source := mustGet(t, i, mail+"/source")
	if source.header.Get("Content-Type") != "text/plain; charset=utf-8" || source.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("source: %v", source.header)
	}
}

// Each of these is shown or refused to be shown, soon: the bound is wide, for
// the race detector, and what it guards against would take minutes.
func TestHugeAndBrokenMailsAreAnsweredSoon(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for name, raw := range map[string]string{
		"empty":           "\r\n",
		"only a header":   "Subject: x\r\n",
		"no boundary":     crlf("Content-Type: multipart/mixed\n\n--\n\n--b\n"),
		"unclosed":        crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nx"),
		"bad base64":      crlf("Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n!!!not base64!!!\n"),
		"bad type":        crlf("Content-Type: ;;;=\"\n\nx\n"),
		"bad charset":     "Content-Type: text/plain; charset=x-none\r\n\r\n\xff\xfe\x00\r\n",
		"deep":            deep(2000),
		"deep, odd case":  strings.ReplaceAll(deep(2000), "multipart/", "mUlTiPaRt/"),
		"many parts":      crlf("Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000)),
		"many fields":     crlf(strings.Repeat("X-A: b\n", 100_000) + "\nx\n"),
		"long fold":       crlf("Subject: x\n" + strings.Repeat(" y\n", 100_000) + "\nx\n"),
		"long field":      "Subject: " + strings.Repeat("=?utf-8?q?a?= ", 60_000) + "\r\n\r\nx\r\n",
		"many params":     "Content-Type: multipart/mixed" + strings.Repeat("; a=b", 100_000) + "; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		"many boundaries": "Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a", 100_000) + "\r\n",
		"long html":       htmlLines(strings.Repeat("<b>", 100_000)),
		"long style":      htmlLines(`<p style="` + strings.Repeat("a:b;", 80_000) + `">x`),
		"hostile style":   htmlLines(`<p style="background:` + strings.Repeat("initial ", 100_000) + `">x`),
		"many attributes": htmlLines("<p " + strings.Repeat("a=b ", 80_000) + ">x"),
		"long attribute":  htmlLines(`<a href="http://` + strings.Repeat("a", 300_000) + `">x`),
		"entities":        htmlLines(strings.Repeat("&amp;#x3c;", 100_000)),
		"too large html":  htmlLines(strings.Repeat("<i>x</i>", 150_000)),
	} {
		t.Run(name, func(t *testing.T) {
			post(t, i, raw)
			mail := newest(t, i)
			begin := time.Now()
			for _, path := range []string{mail, mail + "?show=text", mail + "?show=headers", mail + "?show=source", mail + "/preview", mail + "/source", "/?q=nothing", "/api/v2/messages?limit=1"} {
				mustGet(t, i, path)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			call(t, i, http.MethodDelete, "/api/v1/messages")
		})
	}
}

func deep(levels int) string {
	var b strings.Builder
	for n := range levels {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", n, n)
	}
	return b.String() + "\r\nx\r\n"
}

func htmlLines(html string) string {
	text := base64.StdEncoding.EncodeToString([]byte(html))
	var b strings.Builder
	b.WriteString("Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	return b.String() + text + "\r\n"
}
