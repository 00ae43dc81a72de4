package render_test

import (
	"bytes"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

// FuzzMail takes what the validator lets through, and reads the mail made of it
// with parsers that are not ours: it must have the header fields, recipients,
// texts and files that were posted, no more and no others, whatever stands in
// them.
func FuzzMail(f *testing.F) {
	for _, seed := range [][8]string{
		{"Acme <a@example.com>", "b@example.com", "Hello", "text\r\n.\r\n", "<p>html</p>", "X-A", "value", "a.txt"},
		{`"Doe, J." <j@example.com>`, "Ü <u@bücher.example>", "Grüße =?utf-8?q?x?= " + strings.Repeat("y", 1000), "a\rb\n\n", "", "List-Id", "<x.y>", "ü \"q\\ .pdf"},
		{"δ@example.com", "用户@例え.jp", " two  blanks ", "", "--=_mixed\r\n", "X", strings.Repeat("long ", 300), strings.Repeat("é", 100)},
		{"a@example.com", "b@example.com", "", " ", "\x00", "Subject", "x\r\nBcc: y", "../../x"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7], []byte(seed[4]+seed[3]))
	}
	limits := message.DefaultLimits()
	f.Fuzz(func(t *testing.T, from, to, subject, text, html, name, value, filename string, data []byte) {
		draft := &message.Draft{
			From: from, To: []string{to}, Bcc: []string{"hidden@blind.example"}, Subject: subject, Text: text, HTML: html,
			Headers: []message.Header{{Name: name, Value: value}}, Attachments: []message.DraftAttachment{{Filename: filename, Data: data}},
		}
		m, err := limits.Validate(draft, time.Unix(1_800_000_000, 0))
		if err != nil {
			return
		}
		m.ID, m.CreatedAt = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057"), time.Unix(1_800_000_000, 0)
		mail, err := render.New(m)
		if err != nil {
			t.Fatalf("the validator let through what cannot be rendered: %v", err)
		}
		var raw bytes.Buffer
		if n, err := mail.WriteTo(&raw); err != nil || n != mail.Size() {
			t.Fatalf("%d of %d bytes: %v", n, mail.Size(), err)
		}
		checkLines(t, raw.Bytes())
		checkHeader(t, m, raw.Bytes())
		checkParts(t, m, raw.Bytes())
	})
}

func checkLines(t *testing.T, raw []byte) {
	t.Helper()
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		t.Fatal("the mail does not end a line")
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a line of %d bytes, or with a stray line end: %.100q", len(line), line)
		}
	}
}

// checkHeader holds the fields to those that there must be: one that was smuggled
// in is one too many.
func checkHeader(t *testing.T, m *message.Message, raw []byte) {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v: %.300q", err, raw)
	}
	fields := 0
	for _, values := range parsed.Header {
		fields += len(values)
	}
	want := 7 + len(m.Head.Headers) // From, To, Date, Message-ID, MIME-Version, Content-Type, and Encoding or Subject
	if m.Head.Subject != "" {
		want++
	}
	if strings.HasPrefix(parsed.Header.Get("Content-Type"), "multipart/") {
		want--
	}
	if fields != want {
		t.Fatalf("%d header fields, want %d: %v", fields, want, parsed.Header)
	}
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	if bytes.Contains(head, []byte("blind.example")) && !strings.Contains(m.Head.Subject+m.Head.From.Email+m.Head.To[0].Email+m.Head.Headers[0].Value, "blind.example") {
		t.Fatal("the header tells of a blind copy")
	}
	froms, err := parsed.Header.AddressList("From")
	if err != nil || len(froms) != 1 || froms[0].Address != m.Head.From.Email {
		t.Fatalf("From %v, %v", froms, err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil || strings.Trim(subject, " \t") != strings.Trim(m.Head.Subject, " \t") {
		t.Fatalf("subject %q, want %q, %v", subject, m.Head.Subject, err)
	}
}

func checkParts(t *testing.T, m *message.Message, raw []byte) {
	t.Helper()
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v: %.300q", err, raw)
	}
	if len(e.Attachments) != 1 || !bytes.Equal(e.Attachments[0].Content, m.Attachments[0].Data) {
		t.Fatalf("%d files, or other bytes", len(e.Attachments))
	}
	var kinds []string
	e.Root.DepthMatchAll(func(p *enmime.Part) bool {
		kinds = append(kinds, p.ContentType)
		return false
	})
	want := []string{"multipart/mixed"}
	if m.Content.Text != "" && m.Content.HTML != "" {
		want = append(want, "multipart/alternative")
	}
	if m.Content.Text != "" {
		want = append(want, "text/plain")
	}
	if m.Content.HTML != "" {
		want = append(want, "text/html")
	}
	if got := kinds[:len(kinds)-1]; !slices.Equal(got, want) {
		t.Fatalf("parts %v, want %v and a file", kinds, want)
	}
}
