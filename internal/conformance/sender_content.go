package conformance

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"strings"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// contentCases hold that what was posted is what arrives.
func contentCases() []senderCase {
	return append(envelopeCases(),
		arrives("dots", "\n.\n\r\n.\r\n.\n..\n...leading\n"),
		arrives("line ends of every kind", "a\rb\nc\r\nd\r\r\ne\n\rf\r"),
		arrives("smuggled ends of a mail", smuggling()),
		arrives("eight bits", "grüße 臺網中心 \u2028 \u0085 emoji 👩‍👩‍👧"),
		arrives("one line of 256 kB", strings.Repeat("0123456789abcdef", 1<<14)),
		arrives("trailing blanks", "a \t \nb\t\n   \n"),
		senderCase{
			name:   "every recipient and every attempt gets the same bytes",
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Reply: "451 later", Times: 1}}},
			run: func(s *senderTest) {
				work := largeWork("a@example.com")
				work.Message.Head.Bcc = []message.Address{{Email: "hidden@example.com"}}
				s.mustFail(work, message.FaultTemporary, message.ReasonNone, 451)
				s.mustSend(work)
				other := *work
				other.Address = "hidden@example.com"
				s.mustSend(&other)
				all := s.srv.Transactions()
				if len(all) != 3 || !bytes.Equal(all[0].Data, all[1].Data) || !bytes.Equal(all[1].Data, all[2].Data) {
					s.Error("the bytes differ")
				}
				if bytes.Contains(all[2].Data, []byte("hidden")) {
					s.Error("the blind copy is told")
				}
			},
		},
		senderCase{name: "an attachment arrives equal", run: attachmentArrives},
		senderCase{
			name: "a mail that cannot be made fails for good",
			run: func(s *senderTest) {
				work := workTo("a@example.com")
				work.Message.Head.Subject = "x\r\nBcc: all@example.com"
				s.mustFail(work, message.FaultPermanent, message.ReasonRender, 0)
				s.sessions(0)
			},
		},
	)
}

func envelopeCases() []senderCase {
	utf8Offered := smtptest.Script{Extensions: []string{"SMTPUTF8", "8BITMIME"}}
	return []senderCase{
		{
			name: "an address with UTF-8 fails where SMTPUTF8 is not offered",
			run: func(s *senderTest) {
				s.mustFail(workTo("δοκιμή@example.com"), message.FaultPermanent, message.ReasonSMTPUTF8, 0)
				s.mustSend(workTo("plain@example.com"))
				s.sessions(1)
			},
		},
		{
			name: "SMTPUTF8 is asked for where it is needed", script: utf8Offered,
			run: func(s *senderTest) {
				s.mustSend(workTo("δοκιμή@example.com"))
				s.mustSend(workTo("plain@example.com"))
				got := s.mails(2)
				if !strings.Contains(got[0].Params, "SMTPUTF8") || got[0].Rcpts[0] != "δοκιμή@example.com" || strings.Contains(got[1].Params, "SMTPUTF8") {
					s.Errorf("asked for %q and %q", got[0].Params, got[1].Params)
				}
			},
		},
		{
			name: "SIZE is announced", script: smtptest.Script{Extensions: []string{"SIZE 100000"}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				if tx := s.mails(1)[0]; tx.Params != fmt.Sprintf("SIZE=%d", tx.Size) {
					s.Errorf("announced %q for %d bytes", tx.Params, tx.Size)
				}
				e := s.mustFail(largeWork("a@example.com"), message.FaultPermanent, message.ReasonRejected, 0)
				if !strings.Contains(e.Text, "100000") {
					s.Errorf("the text names no limit: %s", e.Text)
				}
				if s.srv.Stats().Steps[smtptest.Mail] != 1 {
					s.Error("the host was asked all the same")
				}
			},
		},
		{
			name: "an address that is two commands is refused",
			run: func(s *senderTest) {
				for _, address := range []string{"a@example.com>\r\nRCPT TO:<b@example.com", "a b@example.com", "a@example.com\x00", ""} {
					work := workTo("a@example.com")
					work.Address = address
					s.mustFail(work, message.FaultPermanent, message.ReasonInvalid, 0)
				}
				s.mails(0)
			},
		},
		{
			name: "hosts without PIPELINING are spoken to in turn", script: smtptest.Script{Extensions: []string{}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mustSend(workTo("b@example.com"))
				s.mails(2)
			},
		},
	}
}

// smuggling is every sequence that some mail host has taken for the end of a
// mail, each followed by the start of another.
func smuggling() string {
	var b strings.Builder
	for _, end := range []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n", "\n\n.\r\n", "\r\n\x01.\r\n", "\r\n.\r\n",
	} {
		b.WriteString("text" + end + "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\n")
	}
	return b.String()
}

// arrives sends a text as plain text, as both texts, and as HTML alone.
func arrives(name, text string) senderCase {
	return senderCase{name: "text with " + name + " arrives equal", run: func(s *senderTest) {
		for _, content := range []message.Content{{Text: text}, {Text: text, HTML: text}, {HTML: text}} {
			work := workTo("a@example.com")
			work.Message.Content = content
			s.mustSend(work)
		}
		for i, tx := range s.mails(3) {
			if tx.BareCR || tx.BareLF || tx.EightBit || tx.LongestLine > 998 {
				s.Errorf("the wire saw CR %v, LF %v, 8 bits %v, lines of %d", tx.BareCR, tx.BareLF, tx.EightBit, tx.LongestLine)
			}
			checkArrived(s, tx, text, i < 2)
		}
	}}
}

func checkArrived(s *senderTest, tx smtptest.Transaction, text string, plain bool) {
	s.Helper()
	part, err := enmime.ReadParts(bytes.NewReader(tx.Data))
	if err != nil {
		s.Fatal(err)
	}
	want := map[bool]string{true: "text/plain", false: "text/html"}[plain]
	found := part.DepthMatchFirst(func(p *enmime.Part) bool { return p.ContentType == want })
	if found == nil {
		s.Fatalf("no %s in %.500s", want, tx.Data)
	}
	got, expected := lineEnds(string(found.Content)), lineEnds(text)
	if strings.TrimSuffix(got, "\n") != strings.TrimSuffix(expected, "\n") {
		s.Errorf("arrived as %.200q, want %.200q", got, expected)
	}
}

// lineEnds brings the ends of lines to one form; MIME text has CRLF.
func lineEnds(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func attachmentArrives(s *senderTest) {
	work := largeWork("a@example.com")
	file := &work.Message.Attachments[0]
	file.Data = file.Data[:1<<20] // the parser is slow under the race detector
	s.mustSend(work)
	envelope, err := enmime.ReadEnvelope(bytes.NewReader(s.mails(1)[0].Data))
	if err != nil {
		s.Fatal(err)
	}
	if len(envelope.Attachments) != 1 || sha256.Sum256(envelope.Attachments[0].Content) != sha256.Sum256(file.Data) {
		s.Error("the attachment has changed")
	}
}

// largeWork has an attachment of 8 MB in which every byte occurs.
func largeWork(address string) *message.Work {
	work := workTo(address)
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	work.Message.Attachments = []message.Attachment{{Filename: "große Datei.bin", ContentType: "application/octet-stream", Data: data, Size: int64(len(data))}}
	return work
}
