package conformance

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// replyCases are strange forms of a plain yes. A mail that was taken is sent,
// however the host put it; and nothing it says grows without bound.
func replyCases() []senderCase {
	var cases []senderCase
	for name, raw := range map[string]string{
		"one word":                    "250\r\n",
		"several lines":               "250-2.0.0 first\r\n250-2.0.0 second\r\n250 2.0.0 third\r\n",
		"bare line feeds":             "250-one\n250 two\n",
		"one megabyte":                "250 " + strings.Repeat("x", 1<<20) + "\r\n",
		"a megabyte of lines":         strings.Repeat("250-and so on\r\n", 1<<16) + "250 done\r\n",
		"no UTF-8":                    "250 \xff\xfe\x00\x1b[31m gr\xfc\xdfe \xe2\x80\xa8\r\n",
		"another code of success":     "251 fine\r\n",
		"spoken twice":                "250 ok\r\n250 ok\r\n",
		"followed by a farewell":      "250 ok\r\n421 4.3.2 going down\r\n",
		"a code without a space then": "250-\r\n250\r\n",
	} {
		cases = append(cases, senderCase{
			name:   "a yes in the form of " + name,
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Raw: raw, Times: 1}}},
			run: func(s *senderTest) {
				checkText(s, s.mustSend(workTo("a@example.com")).Text)
				s.mustSend(workTo("b@example.com"))
				s.mails(2)
			},
		})
	}
	for name, rule := range map[string]smtptest.Rule{
		"never ends":     {At: smtptest.Dot, Raw: "250-wait\r\n250-wait", End: smtptest.Hangup, Times: 1},
		"stops short":    {At: smtptest.Dot, Raw: "250 o", End: smtptest.Hangup, Times: 1},
		"ends a session": {At: smtptest.Dot, Reply: "250 ok", End: smtptest.Hangup, Times: 1},
	} {
		cases = append(cases, senderCase{
			name: "a yes that " + name, script: smtptest.Script{Rules: []smtptest.Rule{rule}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mustSend(workTo("b@example.com"))
				s.mails(2)
			},
		})
	}
	return append(cases, longRefusals()...)
}

func longRefusals() []senderCase {
	var cases []senderCase
	for _, at := range []smtptest.Step{smtptest.Connect, smtptest.Ehlo, smtptest.Mail, smtptest.Rcpt, smtptest.Dot} {
		fault, reason := message.FaultPermanent, message.ReasonRejected
		if at == smtptest.Connect || at == smtptest.Ehlo {
			fault, reason = message.FaultRelayHost, message.ReasonNone
		}
		cases = append(cases, senderCase{
			name:   fmt.Sprintf("an endless reply at %s is bounded", at),
			script: smtptest.Script{Rules: []smtptest.Rule{{At: at, Raw: strings.Repeat("550-no \x07 \xff\r\n", 1<<18), End: smtptest.Silent}}},
			run: func(s *senderTest) {
				_, err := s.send(workTo("a@example.com"))
				e := s.isFault(err, fault, reason, codeIn(err))
				checkText(s, e.Text)
			},
		})
	}
	return append(cases, remoteIDs()...)
}

// codeIn lets a case accept any code: whether an endless greeting has one is
// open.
func codeIn(err error) int {
	var e *message.SendError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func remoteIDs() []senderCase {
	var cases []senderCase
	for reply, id := range map[string]string{
		"250 2.0.0 Ok: queued as 4F1C2A":                                      "4F1C2A",
		"250 OK id=1r2bXy-0004Tz-2d":                                          "1r2bXy-0004Tz-2d",
		"250 2.0.0 3BH8x0Qc012 Message accepted for delivery":                 "3BH8x0Qc012",
		"250 Ok 0102018c4f1c2a3b-11aa22bb-cc33-44dd-ee55-ff6677889900-000000": "0102018c4f1c2a3b-11aa22bb-cc33-44dd-ee55-ff6677889900-000000",
		"250 2.0.0 thanks":                                                    "",
	} {
		cases = append(cases, senderCase{
			name:   "the relay host's id in " + reply,
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Reply: reply}}},
			run: func(s *senderTest) {
				r := s.mustSend(workTo("a@example.com"))
				if r.RemoteID != id || r.Code != 250 || r.RelayHost != s.srv.Addr() {
					s.Errorf("receipt %+v, want the id %q", r, id)
				}
			},
		})
	}
	return cases
}

// checkText holds a server's words to what may be stored and shown.
func checkText(s *senderTest, text string) {
	s.Helper()
	if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		s.Errorf("text of %d bytes is not clean: %.100q", len(text), text)
	}
}
