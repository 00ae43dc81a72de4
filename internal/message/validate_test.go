package message

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// testNow is before every time the tests write as being in the future.
func testNow() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// draft is a valid draft, changed.
func draft(change func(*Draft)) *Draft {
	d := &Draft{From: "Acme <a@example.com>", To: []string{"b@example.com"}, Subject: "s", Text: "t"}
	if change != nil {
		change(d)
	}
	return d
}

func validate(change func(*Draft)) (*Message, error) {
	return DefaultLimits().Validate(draft(change), testNow())
}

// faultsOf returns the faults of an error as "pointer code"; none for nil.
func faultsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeValidation {
		t.Fatalf("got %v, want an Error with CodeValidation", err)
	}
	var list []string
	for _, f := range e.Fields {
		if f.Detail == "" {
			t.Errorf("%s %s says nothing", f.Pointer, f.Code)
		}
		list = append(list, f.Pointer+" "+string(f.Code))
	}
	return list
}

// expect validates a changed draft and compares the faults.
func expect(t *testing.T, name string, change func(*Draft), want ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		_, err := validate(change)
		if got := faultsOf(t, err); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q (%v)", got, want, err)
		}
	})
}

func TestValidateNormalises(t *testing.T) {
	got, err := DefaultLimits().Validate(&Draft{
		From: `"Acme, Inc." <Sales@Example.COM>`, To: []string{" jeff@臺網中心.tw ", "b@example.com"}, Cc: []string{"B@EXAMPLE.com"},
		ReplyTo: []string{"R <r@example.com>"}, Subject: "s", HTML: "<p>", Headers: []Header{{Name: "X-A", Value: " 1 "}},
		Tags: []Tag{{Name: "n", Value: "v"}}, Metadata: map[string]string{"k": "v"},
		Attachments: []DraftAttachment{{Filename: `C:\tmp\a.PNG`, ContentID: "img", Data: []byte("hi")}},
		ScheduledAt: "2030-01-02T01:00:00.0019+01:00", ExpiresAt: "2030-01-03T00:00:00Z",
	}, testNow())
	if err != nil {
		t.Fatal(err)
	}
	want := &Message{
		Kind: ChannelEmail, Lane: LaneNormal, OnUnknown: Resend,
		Head: Head{
			From: Address{Name: "Acme, Inc.", Email: "Sales@example.com"},
			To:   []Address{{Email: "jeff@xn--fiqq24b10vi0d.tw"}, {Email: "b@example.com"}},
			Cc:   []Address{{Email: "B@example.com"}}, ReplyTo: []Address{{Name: "R", Email: "r@example.com"}}, Subject: "s",
			Headers: []Header{{Name: "X-A", Value: "1"}}, Tags: []Tag{{Name: "n", Value: "v"}}, Metadata: map[string]string{"k": "v"},
		},
		Content:     Content{HTML: "<p>"},
		ScheduledAt: testNow().Add(24*time.Hour + time.Millisecond), ExpiresAt: testNow().Add(48 * time.Hour),
	}
	attachment := got.Attachments[0]
	got.Attachments = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sum := base64.StdEncoding.EncodeToString(attachment.SHA256[:]); attachment.Filename != "a.PNG" || attachment.ContentType != "image/png" ||
		attachment.Disposition != "inline" || attachment.Size != 2 || sum != "j0NDRmSPa5bfid2pAcUXaxCm2Dlh3TwayItZstwyeqQ=" {
		t.Errorf("got %+v, %s", attachment, sum)
	}
	if n := len(got.Recipients()); n != 2 {
		t.Errorf("row 35: %d recipients, one of them twice in mixed case", n)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	_, err := DefaultLimits().Validate(&Draft{
		From: "nobody", Cc: []string{"a@b", "b@example.com", "@"}, Subject: "a\nb", HTML: " ", Lane: "fast", OnUnknown: "maybe",
		Headers: []Header{{Name: "Bcc", Value: "x"}}, Tags: []Tag{{Name: "ä"}}, Metadata: map[string]string{"a.b": "c"},
		Attachments: []DraftAttachment{{Filename: "a\nb"}}, ScheduledAt: "soon", ExpiresAt: "late",
	}, testNow())
	want := []string{
		"/from invalid_address", "/to missing_recipient", "/cc/0 invalid_address", "/cc/2 invalid_address", "/subject invalid_header",
		"/text empty_body", "/headers/Bcc reserved_header", "/attachments/0/filename invalid_attachment", "/tags/0/name invalid_field",
		"/tags/0/value invalid_field", "/metadata/a.b invalid_field", "/lane invalid_field", "/on_unknown invalid_field",
		"/scheduled_at invalid_scheduled_at", "/expires_at invalid_expires_at",
	}
	if diff := cmp.Diff(want, faultsOf(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestRow21And22Recipients(t *testing.T) {
	many := func(n int) []string { return slices.Repeat([]string{"a@example.com"}, n) }
	expect(t, "row 21: no to", func(d *Draft) { d.To, d.Bcc = nil, many(1) }, "/to missing_recipient")
	expect(t, "row 21: empty address", func(d *Draft) { d.To = []string{""} }, "/to/0 invalid_address")
	expect(t, "no from", func(d *Draft) { d.From = "" }, "/from missing_field")
	expect(t, "row 22: 50", func(d *Draft) { d.To, d.Cc, d.Bcc = many(20), many(20), many(10) })
	expect(t, "row 22: 51", func(d *Draft) { d.To, d.Cc, d.Bcc = many(20), many(20), many(11) }, "/to too_many_recipients")
	expect(t, "51 reply_to", func(d *Draft) { d.ReplyTo = many(51) }, "/reply_to too_large")
}

func TestRow27EveryAddressField(t *testing.T) {
	for _, evil := range []string{"a@example.com\r\nRCPT TO:<evil@example.org>", "A\nBcc: x <a@example.com>", "a@example.com\n", "\ra@example.com"} {
		expect(t, evil, func(d *Draft) {
			d.From, d.To, d.Cc, d.Bcc, d.ReplyTo = evil, []string{evil}, []string{evil}, []string{evil}, []string{evil}
		}, "/from invalid_address", "/to/0 invalid_address", "/cc/0 invalid_address", "/bcc/0 invalid_address", "/reply_to/0 invalid_address")
	}
	expect(t, "row 9: NUL", func(d *Draft) { d.From = "a\x00@example.com" }, "/from invalid_field")
}

func TestRow35DuplicateRecipients(t *testing.T) {
	m, err := validate(func(d *Draft) {
		d.To, d.Cc, d.Bcc = []string{"A@example.com", "a@EXAMPLE.com"}, []string{"a@example.com", "\u212a@example.com"}, []string{"k@example.com"}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Recipient{{RoleTo, "A@example.com"}, {RoleCc, "\u212a@example.com"}, {RoleBcc, "k@example.com"}}
	if diff := cmp.Diff(want, m.Recipients()); diff != "" {
		t.Error(diff)
	}
}

func TestRow37And38Subject(t *testing.T) {
	for name, s := range map[string]string{"CR": "a\rb", "LF": "a\nb", "CRLF Bcc": "a\r\nBcc: x@example.com", "LF last": "a\n"} {
		expect(t, "row 37: "+name, func(d *Draft) { d.Subject = s }, "/subject invalid_header")
	}
	for name, s := range map[string]string{
		"NEL": "a\u0085b", "line separator": "a\u2028b", "vertical tab": "a\vb", "empty": "", "emoji": "👩‍💻", "998 without blank": strings.Repeat("x", 998),
		"2 kB": strings.Repeat("x", 2048),
	} {
		expect(t, "row 37, 38: "+name, func(d *Draft) { d.Subject = s })
	}
	expect(t, "row 38: 10 kB", func(d *Draft) { d.Subject = strings.Repeat("x", 10_000) }, "/subject header_too_large")
	expect(t, "row 9: NUL", func(d *Draft) { d.Subject = "\x00" }, "/subject invalid_field")
	expect(t, "row 8: invalid UTF-8", func(d *Draft) { d.Subject = "\xff" }, "/subject invalid_field")
}

func TestRow42To45Body(t *testing.T) {
	for name, s := range map[string]string{
		"row 42: dots": "\n.\n\r\n.\r\n..", "row 43: bare CR and LF": "a\rb\nc\r\r\nd\n\r", "row 43: smuggling": "a\n.\r\nMAIL FROM:<x@example.com>\r\n",
		"row 44: long line": strings.Repeat("ä", 5<<20),
	} {
		expect(t, name, func(d *Draft) { d.Text = s })
	}
	for name, s := range map[string]string{"empty": "", "blanks": " \t\r\n", "no-break space": "\u00a0", "wide space": "\u3000"} {
		expect(t, "row 45: "+name, func(d *Draft) { d.HTML, d.Text = s, s }, "/text empty_body")
		expect(t, "row 45: only html, text "+name, func(d *Draft) { d.HTML, d.Text = "<p>", s })
	}
	expect(t, "row 9: NUL", func(d *Draft) { d.HTML, d.Text = "a\x00", "b\x00" }, "/html invalid_field", "/text invalid_field")
	expect(t, "row 46: script", func(d *Draft) { d.HTML = `<svg onload=alert(1)><script>x</script>` })
}

func TestMessageSize(t *testing.T) {
	l := DefaultLimits()
	l.MessageBytes = 100
	fill := func(n int) *Draft {
		return draft(func(d *Draft) {
			d.Subject, d.Text, d.HTML = "12345", "12345", strings.Repeat("x", 10)
			d.Headers = []Header{{Name: "X-AAA", Value: "12345"}}
			d.Attachments = []DraftAttachment{{Data: make([]byte, n)}, {Data: make([]byte, 20)}}
		})
	}
	if _, err := l.Validate(fill(50), testNow()); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	_, err := l.Validate(fill(51), testNow())
	if got := faultsOf(t, err); !slices.Equal(got, []string{" message_too_large"}) {
		t.Errorf("1 byte over: %q", got)
	}
}

func TestRow56Times(t *testing.T) {
	at := func(s string) func(*Draft) { return func(d *Draft) { d.ScheduledAt = s } }
	for _, s := range []string{
		"in 1 min", "tomorrow at 9", "2031-06-30", "2030-06-30T10:00:00", "2030-06-30 10:00:00Z", "2030-06-30T10:00Z", "9999-12-31T23:59:59Z",
		"2030-06-30T23:59:60Z", "1e18", "1000000000000000000", "1893492000", "2030-06-30T1:00:00Z", "2030-06-30T10:00:00,5Z", "2030-02-30T00:00:00Z",
		"2030-06-30T10:00:00+99:00", "2030-06-30T24:00:00Z", " 2030-06-30T10:00:00Z", "2030-06-30t10:00:00z", "2031-01-03T00:00:00Z",
		"٢٠٣٠-06-30T10:00:00Z", "2030-06-30T10:00:00." + strings.Repeat("0", 1000) + "Z", "\x00",
	} {
		expect(t, "row 56: "+cut(s, 30), at(s), "/scheduled_at invalid_scheduled_at")
		expect(t, "expires_at "+cut(s, 30), func(d *Draft) { d.ExpiresAt = s }, "/expires_at invalid_expires_at")
	}
	for s, want := range map[string]time.Time{
		"2029-12-31T23:59:59Z": {}, "2030-01-01T00:00:00Z": {}, "0001-01-01T00:00:00Z": {}, "2030-01-01T00:59:59+01:00": {},
		"2030-01-01T00:00:00.001Z": testNow().Add(time.Millisecond), "2029-12-31T23:30:00-01:00": testNow().Add(30 * time.Minute),
		"2031-01-02T00:00:00Z": testNow().Add(366 * 24 * time.Hour),
	} {
		if m, err := validate(at(s)); err != nil || !m.ScheduledAt.Equal(want) {
			t.Errorf("row 56: %s: got %v, %v", s, m, err)
		}
	}
}

func TestExpiresAt(t *testing.T) {
	both := func(at, until string) func(*Draft) { return func(d *Draft) { d.ScheduledAt, d.ExpiresAt = at, until } }
	expect(t, "past", both("", "2029-12-31T00:00:00Z"), "/expires_at invalid_expires_at")
	expect(t, "now", both("", "2030-01-01T00:00:00Z"), "/expires_at invalid_expires_at")
	expect(t, "future", both("", "2030-01-01T00:00:01Z"))
	expect(t, "before sending", both("2030-02-01T00:00:00Z", "2030-01-31T00:00:00Z"), "/expires_at invalid_expires_at")
	expect(t, "at sending", both("2030-02-01T00:00:00Z", "2030-02-01T01:00:00+01:00"), "/expires_at invalid_expires_at")
	expect(t, "after sending", both("2030-02-01T00:00:00Z", "2030-02-01T00:00:01Z"))
	expect(t, "a year after the year", both("2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z"))
	expect(t, "sent at once, expired since", both("2029-01-01T00:00:00Z", "2029-12-01T00:00:00Z"), "/expires_at invalid_expires_at")
}

func TestRow57TagsAndMetadata(t *testing.T) {
	tags := func(list ...Tag) func(*Draft) { return func(d *Draft) { d.Tags = list } }
	data := func(m map[string]string) func(*Draft) { return func(d *Draft) { d.Metadata = m } }
	long := strings.Repeat("a", 256)
	expect(t, "longest tag", tags(Tag{long, long}))
	expect(t, "tag too long", tags(Tag{long + "a", long + "a"}), "/tags/0/name invalid_field", "/tags/0/value invalid_field")
	expect(t, "1 MB", tags(Tag{"a", strings.Repeat("a", 1<<20)}), "/tags/0/value invalid_field")
	expect(t, "dots, blanks, others", tags(Tag{"a.b", "a b"}, Tag{"é", "a\n"}, Tag{"\x00", "٣"}), "/tags/0/name invalid_field", "/tags/0/value invalid_field",
		"/tags/1/name invalid_field", "/tags/1/value invalid_field", "/tags/2/name invalid_field", "/tags/2/value invalid_field")
	expect(t, "20 tags", tags(slices.Repeat([]Tag{{"a", "b"}}, 20)...))
	expect(t, "10,000 tags", tags(slices.Repeat([]Tag{{"a", "b"}}, 10_000)...), "/tags too_large")
	expect(t, "metadata", data(map[string]string{"a-B_1": "any text, ü\n"}))
	expect(t, "keys", data(map[string]string{"": "x", "a.b": "x", "a/b": "x"}), "/metadata/ invalid_field", "/metadata/a.b invalid_field", "/metadata/a~1b invalid_field")
	expect(t, "values", data(map[string]string{"a": "\x00", "b": "\xff"}), "/metadata/a invalid_field", "/metadata/b invalid_field")
	expect(t, "8 kB", data(map[string]string{"a": strings.Repeat("x", 8<<10-1)}))
	expect(t, "8 kB and 1", data(map[string]string{"a": strings.Repeat("x", 8<<10)}), "/metadata too_large")
	expect(t, "1 MB", data(map[string]string{strings.Repeat("x", 1<<20): ""}), "/metadata too_large")
}

func TestLaneAndOnUnknown(t *testing.T) {
	for _, lane := range append(Lanes(), "") {
		expect(t, "lane "+string(lane), func(d *Draft) { d.Lane = string(lane) })
	}
	for _, lane := range []string{"NORMAL", " low", "urgent"} {
		expect(t, "lane "+lane, func(d *Draft) { d.Lane = lane }, "/lane invalid_field")
	}
	expect(t, "hold", func(d *Draft) { d.OnUnknown = "hold" })
	expect(t, "Hold", func(d *Draft) { d.OnUnknown = "Hold" }, "/on_unknown invalid_field")
}

func TestFaultsAreBounded(t *testing.T) {
	_, err := validate(func(d *Draft) {
		d.Metadata = map[string]string{}
		for i := range 1000 {
			d.Metadata[fmt.Sprintf("%d.", i)] = ""
		}
	})
	if n := len(faultsOf(t, err)); n != 100 {
		t.Errorf("%d faults", n)
	}
	long := Pointer("a", strings.Repeat("ä", 1000))
	if len(long) > 110 || !strings.HasPrefix(long, "/a/ä") {
		t.Errorf("a pointer of %d bytes", len(long))
	}
}

func TestFaultsAt(t *testing.T) {
	var f Faults
	f.Add("/to/1", CodeInvalidField, "x")
	for pointer, want := range map[string]bool{"/to/1": true, "/to/1/x": true, "/to/10": false, "/to": false, "": false} {
		if got := f.At(pointer); got != want {
			t.Errorf("At(%q) = %v", pointer, got)
		}
	}
}

func TestNewIDsAreOrdered(t *testing.T) {
	last := NewID()
	for range 10_000 {
		id := NewID()
		if id.Version() != 7 || id.String() <= last.String() {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

// hostile draws text in which every character that breaks a header is likely.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"a@example.com", "A <a@example.com>", `"A, B" <a@example.com>`, "X-A", "image/png", "a.png", "cid", "x"}),
		rapid.StringOfN(rapid.SampledFrom([]rune("ab@.<>\"\\:;/=% \r\n\x00\t\u0085\u2028\u202eä\uff20-")), 0, 20, -1),
		rapid.String(),
		rapid.Custom(func(t *rapid.T) string {
			base := rapid.SampledFrom([]string{"a@example.com", "A B <a@example.com>", "X-Header", "image/png; charset=x", "file.pdf"}).Draw(t, "base")
			at := rapid.IntRange(0, len(base)).Draw(t, "at")
			return base[:at] + rapid.SampledFrom([]string{"\r\n", "\n", "\r", "\x00", "\u0085", "\"", "=?utf-8?q?=0A?="}).Draw(t, "evil") + base[at:]
		}),
	)
}

// hostileDraft is hostile in all of its fields or, so that enough of them are
// accepted, in one.
func hostileDraft(t *rapid.T) *Draft {
	h := hostile()
	list := rapid.SliceOfN(h, 0, 2)
	d := draft(nil)
	spoil := []func(){
		func() { d.From = h.Draw(t, "from") },
		func() { d.To = list.Draw(t, "to") },
		func() { d.Cc = list.Draw(t, "cc") },
		func() { d.Bcc = list.Draw(t, "bcc") },
		func() { d.ReplyTo = list.Draw(t, "reply_to") },
		func() { d.Subject = h.Draw(t, "subject") },
		func() {
			d.Headers = []Header{{Name: h.Draw(t, "name"), Value: h.Draw(t, "value")}, {Name: "X-Last", Value: h.Draw(t, "value")}}
		},
		func() {
			d.Attachments = []DraftAttachment{{Filename: h.Draw(t, "filename"), ContentType: h.Draw(t, "type"), ContentID: h.Draw(t, "id")}}
		},
	}
	if one := rapid.IntRange(0, len(spoil)).Draw(t, "field"); one < len(spoil) {
		spoil = spoil[one : one+1]
	}
	for _, f := range spoil {
		f()
	}
	return d
}

// headerBound lists every string of a message that ends up in the header of
// the mail, of one of its parts, or in the envelope.
func headerBound(m *Message) []string {
	list := []string{m.Head.From.Name, m.Head.From.Email, m.Head.Subject}
	for _, a := range slices.Concat(m.Head.To, m.Head.Cc, m.Head.Bcc, m.Head.ReplyTo) {
		list = append(list, a.Name, a.Email)
	}
	for _, h := range m.Head.Headers {
		list = append(list, h.Name, h.Value)
	}
	for _, a := range m.Attachments {
		list = append(list, a.Filename, a.ContentType, a.ContentID, a.Disposition)
	}
	return list
}

func TestNothingThatEndsALineIsAccepted(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		m, err := DefaultLimits().Validate(hostileDraft(t), testNow())
		if err != nil {
			return
		}
		accepted++
		for _, s := range headerBound(m) {
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Fatalf("accepted %q", s)
			}
		}
	})
	if accepted == 0 {
		t.Error("no draft was accepted: the property was not tried")
	}
}
