package conformance

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// verdictCases are all replies and all breaks at all stages, each with what it
// means. The mail after it must always get through: a failure leaves nothing
// behind in the sender.
func verdictCases() []senderCase {
	var cases []senderCase
	add := func(name string, rule smtptest.Rule, fault message.Fault, reason message.Reason, code, marks int) {
		rule.Times = 1
		cases = append(cases, senderCase{
			name: name, script: smtptest.Script{Rules: []smtptest.Rule{rule}},
			run: func(s *senderTest) {
				s.mustFail(workTo("first@example.com"), fault, reason, code)
				if s.marks != marks {
					s.Errorf("mark was called %d times, want %d", s.marks, marks)
				}
				s.mails(0)
				s.mustSend(workTo("next@example.com"))
				s.mails(1)
			},
		})
	}
	const none, rejected = message.ReasonNone, message.ReasonRejected
	mailSteps := []smtptest.Step{smtptest.Mail, smtptest.Rcpt, smtptest.Data, smtptest.Dot}
	for _, code := range []int{421, 451, 554} {
		add(fmt.Sprintf("%d at CONNECT is the relay host's fault", code), replying(smtptest.Connect, code), message.FaultRelayHost, none, code, 0)
	}
	add("a drop at CONNECT is the relay host's fault", smtptest.Rule{At: smtptest.Connect, End: smtptest.Drop}, message.FaultRelayHost, none, 0, 0)
	for _, at := range mailSteps {
		marks := 0
		if at == smtptest.Dot {
			marks = 1
		}
		for _, code := range []int{421, 450, 451, 452} {
			add(fmt.Sprintf("%d at %s is temporary", code, at), replying(at, code), message.FaultTemporary, none, code, marks)
		}
		for _, code := range []int{500, 550, 552, 554} {
			add(fmt.Sprintf("%d at %s is permanent", code, at), replying(at, code), message.FaultPermanent, rejected, code, marks)
		}
		if at == smtptest.Dot {
			continue
		}
		for _, end := range []smtptest.End{smtptest.Drop, smtptest.Reset} {
			add(fmt.Sprintf("connection ended (%d) at %s is temporary", end, at), smtptest.Rule{At: at, End: end}, message.FaultTemporary, none, 0, 0)
		}
		add(fmt.Sprintf("421 and close at %s is temporary", at), hangingUp(at, 421), message.FaultTemporary, none, 421, 0)
		add(fmt.Sprintf("a login missing at %s is temporary", at), replying(at, 530), message.FaultTemporary, none, 530, 0)
	}
	for _, end := range []smtptest.End{smtptest.Drop, smtptest.Reset} {
		add(fmt.Sprintf("no reply to the dot (%d) is unknown", end), smtptest.Rule{At: smtptest.Dot, End: end}, message.FaultUnknown, none, 0, 1)
	}
	add("no code of a reply to the dot is unknown", replying(smtptest.Dot, 999), message.FaultUnknown, none, 999, 1)
	add("garbage in reply to the dot is unknown", smtptest.Rule{At: smtptest.Dot, Raw: "what now?\r\n"}, message.FaultUnknown, none, 0, 1)
	add("code 999 before the dot is temporary", replying(smtptest.Rcpt, 999), message.FaultTemporary, none, 999, 0)
	add("garbage before the dot is temporary", smtptest.Rule{At: smtptest.Data, Raw: "\x00\xff\r\n"}, message.FaultTemporary, none, 0, 0)
	return append(cases, setUpCases()...)
}

// setUpCases fail for as long as their rule acts: the client may say HELO where
// EHLO was refused.
func setUpCases() []senderCase {
	var cases []senderCase
	for _, code := range []int{421, 451, 554} {
		cases = append(cases, senderCase{
			name:   fmt.Sprintf("%d at EHLO is the relay host's fault", code),
			script: smtptest.Script{Rules: []smtptest.Rule{replying(smtptest.Ehlo, code)}},
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, code)
				s.isFault(s.sender.Probe(s.ctx), message.FaultRelayHost, message.ReasonNone, code)
			},
		})
	}
	return append(cases,
		senderCase{
			name: "nobody listens is the relay host's fault",
			run: func(s *senderTest) {
				s.srv.Close()
				s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 0)
				s.isFault(s.sender.Probe(s.ctx), message.FaultRelayHost, message.ReasonNone, 0)
			},
		},
		senderCase{
			name: "a probe sends no mail and takes leave",
			run: func(s *senderTest) {
				if err := s.sender.Probe(s.ctx); err != nil {
					s.Fatal(err)
				}
				if steps := s.srv.Stats().Steps; steps[smtptest.Mail] != 0 || steps[smtptest.Quit] != 1 {
					s.Errorf("the probe did %v", steps)
				}
			},
		},
		senderCase{
			name: "recipients of one message are apart",
			script: smtptest.Script{Rules: []smtptest.Rule{
				{At: smtptest.Rcpt, Match: "bad@", Reply: "550 5.1.1 no such user"},
				{At: smtptest.Rcpt, Match: "busy@", Reply: "450 4.2.0 later"},
			}},
			run: func(s *senderTest) {
				s.mustSend(workTo("good@example.com"))
				e := s.mustFail(workTo("bad@example.com"), message.FaultPermanent, message.ReasonRejected, 550)
				if e.Enhanced != "5.1.1" || !strings.Contains(e.Text, "no such user") {
					s.Errorf("the server's words are lost: %+v", e)
				}
				s.mustFail(workTo("busy@example.com"), message.FaultTemporary, message.ReasonNone, 450)
				s.mails(1)
			},
		},
	)
}

func replying(at smtptest.Step, code int) smtptest.Rule {
	return smtptest.Rule{At: at, Reply: fmt.Sprintf("%d as the script says", code)}
}

func hangingUp(at smtptest.Step, code int) smtptest.Rule {
	r := replying(at, code)
	r.End = smtptest.Hangup
	return r
}
