package render_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

var update = flag.Bool("update", false, "write the expected mails anew")

// input is the form of input.json.
type input struct {
	ID          uuid.UUID       `json:"id"`
	CreatedAt   time.Time       `json:"created_at"`
	Head        message.Head    `json:"head"`
	Content     message.Content `json:"content"`
	Attachments []struct {
		Filename    string `json:"filename"`
		ContentType string `json:"content_type"`
		ContentID   string `json:"content_id"`
		Disposition string `json:"disposition"`
		Data        []byte `json:"data"`
	} `json:"attachments"`
}

func (in *input) message() *message.Message {
	m := &message.Message{ID: in.ID, CreatedAt: in.CreatedAt, Head: in.Head, Content: in.Content}
	for _, a := range in.Attachments {
		m.Attachments = append(m.Attachments, message.Attachment{
			Filename: a.Filename, ContentType: a.ContentType, ContentID: a.ContentID, Disposition: a.Disposition, Data: a.Data,
		})
	}
	return m
}

// TestGoldens renders every folder of testdata: its README says what it shows.
func TestGoldens(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/input.json")
	if err != nil || len(folders) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			m := readInput(t, file)
			got := rendered(t, m)
			expected := filepath.Join(folder, "expected.eml")
			if *update {
				if err := os.WriteFile(expected, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("not as expected; -update writes it anew:\n%s", diff)
			}
			checkWire(t, m, got)
			checkReadBack(t, m, got)
		})
	}
}

func readInput(t *testing.T, file string) *message.Message {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in input
	if err := json.Unmarshal(raw, &in); err != nil {
		t.Fatal(err)
	}
	return in.message()
}

// rendered renders twice and holds the second to the first.
func rendered(t *testing.T, m *message.Message) []byte {
	t.Helper()
	var first, second bytes.Buffer
	for _, buf := range []*bytes.Buffer{&first, &second} {
		mail, err := render.New(m)
		if err != nil {
			t.Fatal(err)
		}
		n, err := mail.WriteTo(buf)
		if err != nil || n != int64(buf.Len()) || n != mail.Size() {
			t.Fatalf("wrote %d of %d bytes, promised %d: %v", n, buf.Len(), mail.Size(), err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("two renderings differ")
	}
	return first.Bytes()
}

// checkWire holds a mail to what may be sent to any host.
func checkWire(t *testing.T, m *message.Message, mail []byte) {
	t.Helper()
	if !bytes.HasSuffix(mail, []byte("\r\n")) {
		t.Error("the mail does not end a line")
	}
	header, _, _ := bytes.Cut(mail, []byte("\r\n\r\n"))
	for i, line := range bytes.Split(mail, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line %d has %d bytes or a stray line end", i, len(line))
		}
		if bytes.Contains(line, []byte("=?utf-8?")) && len(line) > 76 {
			t.Errorf("line %d holds an encoded-word and %d characters", i, len(line))
		}
	}
	for _, b := range mail {
		if b >= 0x80 && !strings.Contains(m.Head.From.Email, "δ") {
			t.Fatal("the mail is not ASCII")
		}
	}
	told := bytes.Contains(bytes.ToLower(header), []byte("\nbcc:"))
	for _, a := range m.Head.Bcc {
		told = told || bytes.Contains(mail, []byte(a.Email))
	}
	if told {
		t.Error("the header tells of blind copies")
	}
}

// checkReadBack reads the mail with a parser that is not ours.
func checkReadBack(t *testing.T, m *message.Message, mail []byte) {
	t.Helper()
	e, err := enmime.ReadEnvelope(bytes.NewReader(mail))
	if err != nil {
		t.Fatal(err)
	}
	std, err := netmail.ReadMessage(bytes.NewReader(mail))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range e.Errors {
		if fault.Severe {
			t.Errorf("the parser complains: %v", fault)
		}
	}
	equal(t, "subject", decoded(t, std.Header.Get("Subject")), strings.TrimSpace(m.Head.Subject))
	equal(t, "Message-ID", e.GetHeader("Message-ID"), "<"+m.ID.String()+m.Head.From.Email[strings.Index(m.Head.From.Email, "@"):]+">")
	if m.Content.Text != "" { // the parser makes text of HTML
		equal(t, "text", lines(e.Text), lines(m.Content.Text))
	}
	equal(t, "html", lines(e.HTML), lines(m.Content.HTML))
	for _, h := range m.Head.Headers {
		if !strings.Contains(strings.Join(e.GetHeaderValues(h.Name), "\n"), h.Value) {
			t.Errorf("header %s arrived as %q", h.Name, e.GetHeaderValues(h.Name))
		}
	}
	names := map[string][]byte{}
	readFiles(t, e.Root.Header, bytes.NewReader(mail[bytes.Index(mail, []byte("\r\n\r\n"))+4:]), names)
	if len(names) != len(m.Attachments) {
		t.Errorf("%d files arrived, want %d", len(names), len(m.Attachments))
	}
	for _, want := range m.Attachments {
		if data, ok := names[want.Filename+" "+want.ContentID]; !ok || !bytes.Equal(data, want.Data) {
			t.Errorf("file %q did not arrive equal; there are %q", want.Filename, slices.Collect(maps.Keys(names)))
		}
	}
}

// readFiles collects the attached bytes with the standard library, which leaves
// charsets alone.
func readFiles(t *testing.T, header textproto.MIMEHeader, body io.Reader, files map[string][]byte) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for part, err := r.NextRawPart(); !errors.Is(err, io.EOF); part, err = r.NextRawPart() {
			if err != nil {
				t.Fatal(err)
			}
			readFiles(t, part.Header, part, files)
		}
		return
	}
	disposition := header.Get("Content-Disposition")
	if disposition == "" {
		return
	}
	_, params, err = mime.ParseMediaType(disposition)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, body))
	if err != nil {
		t.Fatal(err)
	}
	files[params["filename"]+" "+strings.Trim(header.Get("Content-Id"), "<>")] = data
}

// decoded undoes encoded-words.
func decoded(t *testing.T, value string) string {
	t.Helper()
	plain, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s arrived as %q, want %q", what, got, want)
	}
}

// lines disregards the form of line ends and whether the last line has one.
func lines(s string) string {
	return strings.TrimSuffix(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}

func minimal() *message.Message {
	return &message.Message{
		ID: uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057"), CreatedAt: time.Unix(1_800_000_000, 0),
		Head: message.Head{
			From: message.Address{Email: "from@example.com"}, To: []message.Address{{Email: "to@example.com"}}, Subject: "x",
		},
		Content: message.Content{Text: "x"},
	}
}

// TestRefusesWhatWouldBreakTheHeader covers values that validation has let slip
// through.
func TestRefusesWhatWouldBreakTheHeader(t *testing.T) {
	bad := "x\r\nBcc: all@example.com"
	file := func(a message.Attachment) func(*message.Message) {
		return func(m *message.Message) { m.Attachments = []message.Attachment{a} }
	}
	header := func(name, value string) func(*message.Message) {
		return func(m *message.Message) { m.Head.Headers = []message.Header{{Name: name, Value: value}} }
	}
	for name, spoil := range map[string]func(*message.Message){
		"subject":           func(m *message.Message) { m.Head.Subject = bad },
		"subject LF":        func(m *message.Message) { m.Head.Subject = "x\nBcc: y" },
		"subject CR":        func(m *message.Message) { m.Head.Subject = "x\rBcc: y" },
		"subject NUL":       func(m *message.Message) { m.Head.Subject = "x\x00" },
		"subject not UTF-8": func(m *message.Message) { m.Head.Subject = "x\xff" },
		"from name":         func(m *message.Message) { m.Head.From.Name = bad },
		"from":              func(m *message.Message) { m.Head.From.Email = bad + "@x" },
		"no from":           func(m *message.Message) { m.Head.From.Email = "" },
		"from domain UTF-8": func(m *message.Message) { m.Head.From.Email = "a@müller.example" },
		"to":                func(m *message.Message) { m.Head.To[0].Email = "a@example.com, b@example.com" },
		"to name":           func(m *message.Message) { m.Head.To[0].Name = bad },
		"reply-to":          func(m *message.Message) { m.Head.ReplyTo = []message.Address{{Email: "<a@example.com>"}} },
		"header value":      header("X-A", bad),
		"header name":       header(bad, "x"),
		"header name colon": header("X:A", "x"),
		"header name empty": header("", "x"),
		"header Bcc":        header("bCC", "x@example.com"),
		"header From":       header("From", "x@example.com"),
		"header type":       header("Content-Type", "text/html"),
		"filename":          file(message.Attachment{Filename: bad}),
		"type":              file(message.Attachment{ContentType: "text/plain;\r\nBcc: x"}),
		"no type":           file(message.Attachment{ContentType: "nonsense"}),
		"long type":         file(message.Attachment{ContentType: "text/plain; x=" + strings.Repeat("y", 300)}),
		"content id":        file(message.Attachment{ContentID: "x>\r\nBcc: y"}),
		"no time":           func(m *message.Message) { m.CreatedAt = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			m := minimal()
			spoil(m)
			_, err := render.New(m)
			var e *message.SendError
			if !errors.As(err, &e) || e.Fault != message.FaultPermanent || e.Reason != message.ReasonRender || e.Err == nil {
				t.Fatalf("error %v", err)
			}
			if strings.ContainsAny(e.Text, "\r\n") {
				t.Errorf("the error breaks a line: %q", e.Text)
			}
		})
	}
}

// FuzzHeader holds that no value adds a header field or gets lost.
func FuzzHeader(f *testing.F) {
	f.Add("subject", "Name", "file.txt", "value")
	f.Add("=?utf-8?q?x?=", "\"quo\\ted\"", "\u202ex", strings.Repeat("x", 1500))
	f.Add(strings.Repeat(" y", 700), "a\tb", "a;b=c", "\u0085")
	f.Fuzz(func(t *testing.T, subject, name, filename, value string) {
		m := minimal()
		m.Head.Subject, m.Head.To[0].Name = subject, name
		m.Head.Headers = []message.Header{{Name: "X-Custom", Value: value}}
		m.Attachments = []message.Attachment{{Filename: filename, Data: []byte("x")}}
		if len(subject+name+value) > 6000 || len(filename) > 1000 {
			return
		}
		if _, err := render.New(m); err != nil {
			return
		}
		mail := rendered(t, m)
		checkWire(t, m, mail)
		header, _, _ := strings.Cut(string(mail), "\r\n\r\n")
		fields := 0
		for line := range strings.SplitSeq(header, "\r\n") {
			if line == "" || strings.TrimSpace(line) == "" {
				t.Errorf("a blank line within the header: %q", header)
			} else if line[0] != ' ' && line[0] != '\t' {
				fields++
			}
		}
		want := 8 // From To Subject Date Message-ID X-Custom MIME-Version Content-Type
		if subject == "" {
			want--
		}
		if fields != want {
			t.Errorf("%d header fields, want %d:\n%s", fields, want, header)
		}
	})
}

// FuzzText holds that any text arrives, up to the form of its line ends.
func FuzzText(f *testing.F) {
	f.Add("plain\n.\r\n", true)
	f.Add("a\rb\r\r\nc", false)
	f.Add(strings.Repeat("é", 100), true)
	f.Fuzz(func(t *testing.T, text string, html bool) {
		m := minimal()
		m.Content.Text = text
		if html {
			m.Content.HTML = "<p>" + text
		}
		mail := rendered(t, m)
		checkWire(t, m, mail)
		root, err := enmime.ReadParts(bytes.NewReader(mail))
		if err != nil {
			t.Fatal(err)
		}
		part := root.DepthMatchFirst(func(p *enmime.Part) bool { return p.ContentType == "text/plain" })
		if text != "" && strings.ToValidUTF8(text, "") == text {
			equal(t, "text", lines(string(part.Content)), lines(text))
		}
	})
}

// TestLargeMailIsNotCopied: attachments are encoded on their way out.
func TestLargeMailIsNotCopied(t *testing.T) {
	m := minimal()
	m.Attachments = []message.Attachment{{Filename: "large.bin", Data: make([]byte, 25<<20)}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mail, err := render.New(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mail.WriteTo(io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated for a mail of %d", used, mail.Size())
	}
}

// TestWriteErrorsComeBack breaks the writer after every few bytes.
func TestWriteErrorsComeBack(t *testing.T) {
	m := minimal()
	m.Attachments = []message.Attachment{{Filename: "x", Data: make([]byte, 5000)}}
	mail, err := render.New(m)
	if err != nil {
		t.Fatal(err)
	}
	for room := int64(0); room < mail.Size(); room += 97 {
		w := &narrow{room: room}
		if n, err := mail.WriteTo(w); !errors.Is(err, io.ErrShortWrite) || n != room {
			t.Fatalf("with room for %d: %d, %v", room, n, err)
		}
	}
}

// narrow takes only so many bytes.
type narrow struct{ room int64 }

// Write implements io.Writer.
func (w *narrow) Write(p []byte) (int, error) {
	if int64(len(p)) > w.room {
		n := int(w.room)
		w.room = 0
		return n, io.ErrShortWrite
	}
	w.room -= int64(len(p))
	return len(p), nil
}

func BenchmarkRender(b *testing.B) {
	m := minimal()
	m.Content = message.Content{Text: strings.Repeat("Hello, world.\n", 20), HTML: strings.Repeat("<p>Hello, wörld.</p>\n", 40)}
	b.ReportAllocs()
	for b.Loop() {
		mail, err := render.New(m)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := mail.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
