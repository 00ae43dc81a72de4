package message

import (
	"mime"
	"slices"
	"strings"
	"testing"
)

func attach(list ...DraftAttachment) func(*Draft) {
	return func(d *Draft) { d.Attachments = list }
}

func TestRow48Filenames(t *testing.T) {
	for name, want := range map[string]string{
		"a.pdf": "a.pdf", "../../x": "x", `..\..\x.exe`: "x.exe", "/etc/passwd": "passwd", `C:\a\b.txt`: "b.txt", "": "attachment", "  ": "attachment",
		"a/": "attachment", " a b .txt ": "a b .txt", "レポート.pdf": "レポート.pdf", "a;b=\"c\".pdf": "a;b=\"c\".pdf", ".htaccess": ".htaccess",
		"می\u200cخواهم.txt": "می\u200cخواهم.txt", strings.Repeat("a", 255): strings.Repeat("a", 255), strings.Repeat("a/", 3000) + "b": "b",
	} {
		m, err := validate(attach(DraftAttachment{Filename: name}))
		if err != nil || m.Attachments[0].Filename != want {
			t.Errorf("%.50q: got %v, %v; want %q", name, m, err, want)
		}
	}
	for _, name := range []string{
		"a\r\nX: y", "a\nb", "a\rb/c", "\u202egpj.exe", "a\u2066b", "a\u200bb", "a\ufeff.txt", "a\u00ad.txt", "a\u2028b", ".", "..", "a/..", "a\x1b[2J",
		"a\u0085b", strings.Repeat("a", 256), strings.Repeat("ä", 2500),
	} {
		expect(t, "row 48: "+cut(name, 30), attach(DraftAttachment{Filename: name}), "/attachments/0/filename invalid_attachment")
	}
	expect(t, "row 9: NUL", attach(DraftAttachment{Filename: "a\x00/b"}), "/attachments/0/filename invalid_field")
	expect(t, "row 8: invalid UTF-8", attach(DraftAttachment{Filename: "\xff"}), "/attachments/0/filename invalid_field")
}

func TestRow50ContentTypes(t *testing.T) {
	for kind, want := range map[string]string{
		"": "application/pdf", "image/png": "image/png", "IMAGE/PNG": "image/png", "text/plain; charset=UTF-8": "text/plain; charset=UTF-8",
		"text/plain;charset=\"utf-8\"": "text/plain; charset=utf-8", "application/pdf; name=\"x\ty.pdf\"": "!", "application/pdf; name=x.pdf": "application/pdf",
		"application/vnd.api+json": "application/vnd.api+json", "message/rfc822": octetStream, "Message/Global": octetStream, "text/calendar; method=REQUEST": "text/calendar; method=REQUEST",
		"multipart/mixed": "!", "multipart/alternative; boundary=x": "!", "MULTIPART/x": "!", "message/partial": "!", "message/external-body": "!", "message/delivery-status": "!",
		"text/html; x=\"\r\n": "!", "text/html; x=\"\r\n\"": "!", "text/html\r\nX: y": "!", "text": "!", "text/": "!", "/plain": "!", "text plain": "!", "text/plain; a": "!",
		"text/plain; a=b; a=c": "!", "a/b/c": "!", "\x00": "!", "text/html; x=\x00": "!", "text/plain; x=" + strings.Repeat("a", 300): "!", "text/plain; x=\"" + strings.Repeat("é", 40) + "\"": "!", "text/plain" + strings.Repeat(";", 240): "!",
		"text/plain; x=\"" + strings.Repeat("é", 38) + "\"": "text/plain; x*=utf-8''" + strings.Repeat("%C3%A9", 38), "*/*": "!", "image/*": "!", "tëxt/plain": "!",
	} {
		m, err := validate(attach(DraftAttachment{Filename: "a.pdf", ContentType: kind}))
		switch {
		case want == "!":
			if got := faultsOf(t, err); !slices.Equal(got, []string{"/attachments/0/content_type invalid_attachment"}) {
				t.Errorf("%.50q: got %v, %q", kind, m, got)
			}
		case err != nil || m.Attachments[0].ContentType != want:
			t.Errorf("%.50q: got %v, %v; want %q", kind, m, err, want)
		}
	}
}

func TestTypeByName(t *testing.T) {
	for name, want := range map[string]string{
		"a.pdf": "application/pdf", "A.JPG": "image/jpeg", "a.tar.gz": "application/gzip", "a.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"a.txt": "text/plain; charset=utf-8", "a.eml": octetStream, "a.exe": octetStream, "pdf": octetStream, "": octetStream, "a.": octetStream, "a.pdf.exe": octetStream,
	} {
		if got := typeByName(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestContentIDs(t *testing.T) {
	id := func(s string) DraftAttachment { return DraftAttachment{ContentID: s} }
	expect(t, "good", attach(id("logo"), id("a.b_c+d=e-f@example.com"), id(strings.Repeat("a", 128)), id(""), id("")))
	for _, s := range []string{"<a>", "a b", "a\r\nb", "a>b", "ä", "a\"b", "a%20b", strings.Repeat("a", 129), "a/b", "\x00"} {
		expect(t, "bad "+cut(s, 20), attach(id(s)), "/attachments/0/content_id invalid_attachment")
	}
	expect(t, "twice", attach(id("a"), id("b"), id("a")), "/attachments/2/content_id invalid_attachment")
}

func TestRow49AttachmentCount(t *testing.T) {
	expect(t, "100", attach(make([]DraftAttachment, 100)...))
	expect(t, "1,000", attach(make([]DraftAttachment, 1000)...), "/attachments too_large")
}

func FuzzAttachment(f *testing.F) {
	f.Add("a.pdf", "application/pdf", "cid")
	f.Add("../a\r\nb", "text/html; x=\"\r\n", "<a>")
	f.Add("\u202egpj.exe", "text/plain; charset*=utf-8''%0d%0a", "")
	f.Add("", "multipart/mixed", "a@b")
	f.Fuzz(func(t *testing.T, name, kind, id string) {
		m, err := validate(attach(DraftAttachment{Filename: name, ContentType: kind, ContentID: id}))
		if err != nil {
			faultsOf(t, err)
			return
		}
		a := m.Attachments[0]
		if a.Filename == "" || strings.ContainsAny(a.Filename, "/\\\r\n\x00") || len(a.Filename) > 255 {
			t.Errorf("accepted the filename %q", a.Filename)
		}
		if strings.ContainsAny(a.ContentType+a.ContentID, "\r\n\x00") || strings.HasPrefix(a.ContentType, "multipart/") || strings.HasPrefix(a.ContentType, "message/") {
			t.Errorf("accepted %q, %q", a.ContentType, a.ContentID)
		}
		if _, _, err := mime.ParseMediaType(a.ContentType); err != nil || len(a.ContentType) > maxContentType { // no mail could be made of it
			t.Errorf("%q cannot be read again: %v", a.ContentType, err)
		}
	})
}
