package mailcatch_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"encoding/base64"

	"github.com/postrider/postrider/internal/mailcatch"
)

func dial(t *testing.T, i *mailcatch.Inbox) *textproto.Conn {
	t.Helper()
	c, err := textproto.Dial("tcp", i.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	expect(t, c, 220)
	return c
}

func expect(t *testing.T, c *textproto.Conn, code int) string {
	t.Helper()
	_, text, err := c.ReadResponse(code)
	if err != nil {
		t.Fatalf("want %d: %v", code, err)
	}
	return text
}

func say(t *testing.T, c *textproto.Conn, code int, format string, args ...any) string {
	t.Helper()
	if err := c.PrintfLine(format, args...); err != nil {
		t.Fatal(err)
	}
	return expect(t, c, code)
}

func TestOffersWhatAppsUse(t *testing.T) {
	i := running(t, mailcatch.Config{MaxBytes: 1 << 20})
	caps := say(t, dial(t, i), 250, "EHLO app.example")
	wantContains(t, "EHLO", caps, "PIPELINING", "8BITMIME", "SIZE 1048576", "SMTPUTF8", "ENHANCEDSTATUSCODES")
	wantNone(t, "EHLO", strings.ToLower(caps), "auth", "starttls")
}

func TestTakesPipelinedUTF8MailToAnyone(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	raw := "MAIL FROM:<> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<jürgen@bücher.example>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
	if _, err := c.W.WriteString(raw); err != nil {
		t.Fatal(err)
	}
	if err := c.W.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{250, 250, 250, 354} {
		expect(t, c, code)
	}
	say(t, c, 250, "Subject: Grüße\r\n\r\n..dot\r\n...dots\r\nä\r\n.")
	m := list(t, i, "/api/v2/messages").Items[0]
	if m.Raw.From != "" || fmt.Sprint(m.Raw.To) != "[jürgen@bücher.example b@example.com]" || m.Raw.Helo != "app.example" {
		t.Errorf("envelope %+v", m.Raw)
	}
	if want := "Subject: Grüße\r\n\r\n.dot\r\n..dots\r\nä"; m.Raw.Data != want {
		t.Errorf("data %q, want %q", m.Raw.Data, want)
	}
}

func TestMailOf25MBArrivesIntact(t *testing.T) {
	i := running(t, mailcatch.Config{})
	raw := bigMail(randomBytes(25 << 20))
	begin := time.Now()
	post(t, i, raw)
	t.Logf("%d bytes taken in %v", len(raw), time.Since(begin))

	download := mustGet(t, i, "/api/v1/messages/"+newestID(t, i)+"/download").body
	if sha256.Sum256([]byte(download)) != sha256.Sum256([]byte(raw)) {
		t.Error("the mail is not what was sent")
	}
}

func TestAttachmentIsSavedIntact(t *testing.T) {
	i := running(t, mailcatch.Config{})
	content := randomBytes(2 << 20)
	post(t, i, bigMail(content))
	file := mustGet(t, i, newest(t, i)+"/files/0").body
	if sha256.Sum256([]byte(file)) != sha256.Sum256(content) {
		t.Error("the attachment is not what was sent")
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func bigMail(content []byte) string {
	var b strings.Builder
	b.WriteString(crlf("Subject: big\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhi\n--b\n" +
		"Content-Type: application/zip; name=big.zip\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=big.zip\n\n"))
	text := base64.StdEncoding.EncodeToString(content)
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n--b--\r\n")
	return b.String()
}

func TestChunkedMailIsTakenToo(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	say(t, c, 250, "MAIL FROM:<a@example.com>")
	say(t, c, 250, "RCPT TO:<b@example.com>")
	say(t, c, 250, "BDAT 12\r\nSubject: x") // the line end is PrintfLine's
	say(t, c, 250, "BDAT 6 LAST\r\n\r\n.a")
	m := list(t, i, "/api/v2/messages")
	if m.Total != 1 {
		t.Fatalf("%d mails", m.Total)
	}
}

func TestRefusesWithinItsLimits(t *testing.T) {
	i := running(t, mailcatch.Config{MaxBytes: 4096})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	say(t, c, 552, "MAIL FROM:<a@example.com> SIZE=5000")
	say(t, c, 250, "MAIL FROM:<a@example.com>")
	for range 1000 {
		say(t, c, 250, "RCPT TO:<b@example.com>")
	}
	say(t, c, 452, "RCPT TO:<b@example.com>")
	say(t, c, 354, "DATA")
	say(t, c, 552, "%s\r\n.", strings.Repeat("0123456789\r\n", 1000))
	if n := list(t, i, "/api/v2/messages").Total; n != 0 {
		t.Errorf("%d mails kept", n)
	}
	say(t, c, 250, "MAIL FROM:<a@example.com>") // the session goes on
}

// What is said beside a mail is kept with it, and counts.
func TestTheEnvelopeIsBounded(t *testing.T) {
	i := running(t, mailcatch.Config{MaxBytes: 1 << 20, TotalBytes: 1 << 20})
	c := dial(t, i)
	say(t, c, 250, "EHLO %s", strings.Repeat("x", 100_000))
	long := strings.Repeat("x", 988) + "@example.com"
	say(t, c, 553, "MAIL FROM:<x%s>", long)
	for range 2 {
		say(t, c, 250, "MAIL FROM:<%s>", long)
		say(t, c, 553, "RCPT TO:<x%s>", long)
		for range 600 {
			say(t, c, 250, "RCPT TO:<%s>", long)
		}
		say(t, c, 354, "DATA")
		say(t, c, 250, "Subject: x\r\n\r\nx\r\n.")
	}
	if n := list(t, i, "/api/v2/messages").Total; n != 1 {
		t.Errorf("%d mails kept, want the newest only", n)
	}
}

func TestEndlessLineEndsTheSession(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	go func() { _, _ = c.W.WriteString(strings.Repeat("x", 3<<20)); _ = c.W.Flush() }() // fails when refused
	if _, _, err := c.ReadResponse(500); err != nil {
		var reply *textproto.Error
		if errors.As(err, &reply) {
			t.Errorf("answered %v", reply)
		} // else the reset of the connection overtook the reply
	}
}

// Twenty clients announce more than may arrive at once: some wait, none fails
// for good, nothing is over the bound.
func TestArrivingMailIsBoundedToo(t *testing.T) {
	i := running(t, mailcatch.Config{MaxBytes: 1 << 20, TotalBytes: 1 << 20})
	first := dial(t, i)
	for _, c := range []string{"EHLO a", "MAIL FROM:<a@example.com> SIZE=1000000", "RCPT TO:<b@example.com>"} {
		say(t, first, 250, "%s", c)
	}
	say(t, first, 354, "DATA")
	second := dial(t, i)
	for _, c := range []string{"EHLO b", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>"} {
		say(t, second, 250, "%s", c)
	}
	say(t, second, 354, "DATA")
	big := strings.Repeat(strings.Repeat("x", 998)+"\r\n", 700)
	if _, err := first.W.WriteString(big); err != nil {
		t.Fatal(err)
	}
	say(t, second, 452, "%s.", big)
	say(t, first, 250, ".")
	say(t, second, 250, "MAIL FROM:<a@example.com>")
	say(t, second, 250, "RCPT TO:<b@example.com>")
	say(t, second, 354, "DATA")
	say(t, second, 250, "%s.", big)
	if n := list(t, i, "/api/v2/messages").Total; n != 1 {
		t.Errorf("%d mails kept, want the newest only", n)
	}
}

func TestManySendersAndReadersAtOnce(t *testing.T) {
	const senders, each = 8, 25
	i := running(t, mailcatch.Config{Keep: senders * each})
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for n := range each {
				raw := fmt.Sprintf("Subject: %d/%d\r\n\r\nhello\r\n", s, n)
				if err := smtp.SendMail(i.SMTPAddr(), nil, "a@example.com", []string{"b@example.com"}, []byte(raw)); err != nil {
					t.Error(err)
				}
				_ = get(t, i, "/?q=hello")
			}
		})
	}
	all.Wait()
	subjects := map[string]bool{}
	for _, m := range list(t, i, "/api/v2/messages?limit=250").Items {
		subjects[m.Content.Headers["Subject"][0]] = true
	}
	if len(subjects) != senders*each {
		t.Errorf("%d different mails, want %d", len(subjects), senders*each)
	}
}
