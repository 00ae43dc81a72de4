package conformance

import (
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// sessionCases are about sessions kept open between mails.
func sessionCases() []senderCase {
	return append(deadSessionCases(),
		senderCase{
			name: "mails share a session",
			run: func(s *senderTest) {
				for range 5 {
					s.mustSend(workTo("a@example.com"))
				}
				s.mails(5)
				s.sessions(1)
				if steps := s.srv.Stats().Steps; steps[smtptest.Rset]+steps[smtptest.Noop] != 0 {
					s.Errorf("round trips for nothing: %v", steps)
				}
			},
		},
		senderCase{
			name: "a session ends after its number of mails", setup: SenderSetup{SessionMails: 3},
			run: func(s *senderTest) {
				for range 7 {
					s.mustSend(workTo("a@example.com"))
				}
				s.mails(7)
				s.sessions(3)
				s.await(func(st smtptest.Stats) bool { return st.Steps[smtptest.Quit] == 2 && st.Open == 1 })
			},
		},
		senderCase{
			name: "an idle session is ended", setup: SenderSetup{SessionIdle: 30 * time.Millisecond},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.await(func(st smtptest.Stats) bool { return st.Steps[smtptest.Quit] == 1 && st.Open == 0 })
				s.mustSend(workTo("a@example.com"))
				s.sessions(2)
			},
		},
		senderCase{
			name: "mails sent at once have a session each", run: sendAtOnce,
		},
		refusalLeavesNoTrace(smtptest.Mail), refusalLeavesNoTrace(smtptest.Rcpt), refusalLeavesNoTrace(smtptest.Data),
		refusalLeavesNoTrace(smtptest.Dot),
		senderCase{
			name: "a session that RSET does not clean is not used",
			script: smtptest.Script{Rules: []smtptest.Rule{
				{At: smtptest.Rcpt, Reply: "550 no", Times: 1}, {At: smtptest.Rset, Reply: "500 what?", Times: 1},
			}},
			run: func(s *senderTest) {
				s.mustFail(workTo("bad@example.com"), message.FaultPermanent, message.ReasonRejected, 550)
				s.mustSend(workTo("good@example.com"))
				s.sessions(2)
			},
		},
		senderCase{
			name: "a host that takes DATA after refusing the recipient gets no mail", setup: SenderSetup{SendTimeout: 5 * time.Second},
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Rcpt, Reply: "550 no", Times: 1}, {At: smtptest.Data, Reply: "354 all the same", Times: 1}}},
			run: func(s *senderTest) {
				s.mustFail(workTo("bad@example.com"), message.FaultPermanent, message.ReasonRejected, 550)
				for _, tx := range s.srv.Transactions() {
					if tx.Dot {
						s.Error("a final dot was written")
					}
				}
				s.mustSend(workTo("good@example.com"))
				s.sessions(2)
			},
		},
	)
}

// deadSessionCases end a kept session while nobody looks, in every way: the
// next mail must not notice.
func deadSessionCases() []senderCase {
	cases := []senderCase{{
		name: "a kept session that was closed costs nothing",
		run: func(s *senderTest) {
			s.mustSend(workTo("a@example.com"))
			s.srv.DropIdle()
			s.mustSend(workTo("b@example.com"))
			s.mails(2)
			s.sessions(2)
		},
	}}
	for _, farewell := range []string{"421 4.4.2 idle for too long", "451 4.4.2 idle for too long", "554 5.4.2 idle for too long", "250 late"} {
		cases = append(cases, senderCase{
			name: fmt.Sprintf("a kept session that is told %s while idle costs nothing", farewell[:3]),
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.srv.Farewell(farewell)
				s.mustSend(workTo("b@example.com"))
				s.mails(2)
				s.sessions(2)
			},
		})
	}
	for _, at := range []smtptest.Step{smtptest.Mail, smtptest.Rcpt, smtptest.Data} {
		for name, rule := range map[string]smtptest.Rule{
			"closed":             {At: at, Skip: 1, Times: 1, End: smtptest.Drop},
			"reset":              {At: at, Skip: 1, Times: 1, End: smtptest.Reset},
			"ended with a 421":   {At: at, Skip: 1, Times: 1, End: smtptest.Hangup, Reply: "421 4.4.2 idle for too long"},
			"told 421 and stays": {At: at, Skip: 1, Times: 1, Reply: "421 4.4.2 idle for too long"},
		} {
			cases = append(cases, senderCase{
				name:   fmt.Sprintf("a kept session that is %s at %s costs nothing", name, at),
				script: smtptest.Script{Rules: []smtptest.Rule{rule}},
				run: func(s *senderTest) {
					s.mustSend(workTo("a@example.com"))
					s.mustSend(workTo("b@example.com"))
					s.mails(2)
					s.sessions(2)
					if s.marks != 2 {
						s.Errorf("%d marks for 2 mails", s.marks)
					}
				},
			})
		}
	}
	for _, farewell := range []string{"451 4.4.2 idle for too long", "554 5.4.2 idle for too long"} {
		cases = append(cases, senderCase{
			name:   fmt.Sprintf("a kept session that is told %s and closed just as it is used costs nothing", farewell[:3]),
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Mail, Skip: 1, Times: 1, End: smtptest.Hangup, Reply: farewell}}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mustSend(workTo("b@example.com"))
				s.mails(2)
				s.sessions(2)
			},
		})
	}
	return append(cases, senderCase{
		name:   "a dead session is replaced once, not for ever",
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Mail, Skip: 1, End: smtptest.Drop}}},
		run: func(s *senderTest) {
			s.mustSend(workTo("a@example.com"))
			s.mustFail(workTo("b@example.com"), message.FaultTemporary, message.ReasonNone, 0)
			s.sessions(2)
		},
	})
}

func refusalLeavesNoTrace(at smtptest.Step) senderCase {
	return senderCase{
		name:   fmt.Sprintf("after a refusal at %s the session is clean again", at),
		script: smtptest.Script{Rules: []smtptest.Rule{{At: at, Reply: "550 5.0.0 not this one", Times: 1}}},
		run: func(s *senderTest) {
			s.mustFail(workTo("bad@example.com"), message.FaultPermanent, message.ReasonRejected, 550)
			s.mustSend(workTo("good@example.com"))
			if tx := s.mails(1)[0]; len(tx.Rcpts) != 1 || tx.Rcpts[0] != "good@example.com" {
				s.Errorf("the mail went to %v", tx.Rcpts)
			}
			s.sessions(1)
		},
	}
}

func sendAtOnce(s *senderTest) {
	const many = 16
	s.sendFromMany(many, 10)
	if got := s.srv.Stats().Sessions; got > many {
		s.Errorf("%d sessions for %d senders", got, many)
	}
}

func (s *senderTest) await(cond func(smtptest.Stats) bool) {
	s.Helper()
	if err := s.srv.Await(s.ctx, cond); err != nil {
		s.Fatal(err)
	}
}
