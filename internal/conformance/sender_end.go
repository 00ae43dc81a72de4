package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// endCases are about the moment of no return: mark and the final dot.
func endCases() []senderCase {
	return slices.Concat(cancelCases(), earlyLeaveCases(), []senderCase{
		{name: "mark runs after the last byte of the content and before the dot", run: markBeforeDot},
		{
			name: "a refused mark leaves the mail unsent",
			run: func(s *senderTest) {
				_, err := s.sender.Send(s.ctx, workTo("a@example.com"), func(context.Context) error { return message.ErrMarkRefused })
				if !errors.Is(err, message.ErrMarkRefused) {
					s.Fatalf("error %v does not wrap mark's", err)
				}
				s.await(func(st smtptest.Stats) bool { return st.Open == 0 })
				if tx := s.srv.Transactions(); len(tx) != 1 || tx[0].Dot {
					s.Errorf("the relay host saw %+v", tx)
				}
				if s.srv.Stats().Steps[smtptest.Quit] != 0 {
					s.Error("the connection was not dropped at once")
				}
				s.mustSend(workTo("a@example.com"))
			},
		},
		{
			name: "a mark that fails is told apart from one refused",
			run: func(s *senderTest) {
				_, err := s.sender.Send(s.ctx, workTo("a@example.com"), func(context.Context) error { return message.ErrUnavailable })
				var sendError *message.SendError
				if !errors.Is(err, message.ErrUnavailable) || errors.Is(err, message.ErrMarkRefused) || errors.As(err, &sendError) {
					s.Fatalf("error %v", err)
				}
			},
		},
		{
			name: "silence after the dot is unknown", setup: SenderSetup{ReplyTimeout: short},
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, End: smtptest.Silent, Times: 1}}},
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), message.FaultUnknown, message.ReasonNone, 0)
				s.mustSend(workTo("b@example.com"))
			},
		},
		{
			name:   "a reply that is late counts",
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: 200 * time.Millisecond}}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mails(1)
			},
		},
		{
			name:   "a context that ends after the mark makes the outcome unknown",
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, End: smtptest.Silent, Times: 1}}},
			run: func(s *senderTest) {
				ctx, cancel := context.WithCancel(s.ctx)
				go func() {
					_ = s.srv.AwaitStep(s.ctx, smtptest.Dot, 1)
					cancel()
				}()
				_, err := s.sender.Send(ctx, workTo("a@example.com"), s.mark)
				var e *message.SendError
				if !errors.As(err, &e) || e.Fault != message.FaultUnknown {
					s.Errorf("error %v, want an unknown outcome", err)
				}
				s.mustSend(workTo("b@example.com"))
			},
		},
		breakWithinContent(smtptest.Drop), breakWithinContent(smtptest.Reset),
		{
			name: "a host that closes within the content and says why is believed",
			script: smtptest.Script{Rules: []smtptest.Rule{{
				At: smtptest.Body, After: 1 << 20, Reply: "552 5.3.4 too large", End: smtptest.Hangup, Times: 1,
			}}},
			run: func(s *senderTest) {
				_, err := s.send(largeWork("a@example.com"))
				var e *message.SendError
				if !errors.As(err, &e) || e.Fault != message.FaultPermanent && e.Fault != message.FaultTemporary {
					s.Fatalf("error %v", err) // the words may be lost with the connection
				}
				s.mails(0)
			},
		},
	})
}

func breakWithinContent(end smtptest.End) senderCase {
	name := map[smtptest.End]string{smtptest.Drop: "closed", smtptest.Reset: "reset"}[end]
	return senderCase{
		name:   "a connection " + name + " within the content is temporary",
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Body, After: 1 << 20, End: end, Times: 1}}},
		run: func(s *senderTest) {
			s.mustFail(largeWork("a@example.com"), message.FaultTemporary, message.ReasonNone, 0)
			if s.marks != 0 {
				s.Error("mark was called though the content had not arrived")
			}
			s.mustSend(workTo("b@example.com"))
			s.mails(1)
		},
	}
}

// earlyLeaveCases are hosts that do not wait for the end of a mark: no dot was
// written to them, so nothing about the mail is unknown.
func earlyLeaveCases() []senderCase {
	var cases []senderCase
	for name, leave := range map[string]smtptest.Rule{
		"closes":              {End: smtptest.Drop},
		"resets":              {End: smtptest.Reset},
		"says 421 and closes": {End: smtptest.Hangup, Reply: "421 4.4.2 timeout exceeded"},
	} {
		leave.At, leave.After, leave.Times = smtptest.Body, 1, 1
		for tlsParam, mode := range map[string]smtptest.TLSMode{
			"none": smtptest.Plain, "required": smtptest.OfferTLS, "implicit": smtptest.ImplicitTLS,
		} {
			cases = append(cases, senderCase{
				name:     fmt.Sprintf("a host that %s during the mark, tls=%s, gets no dot", name, tlsParam),
				tlsParam: tlsParam, script: smtptest.Script{TLS: mode, Rules: []smtptest.Rule{leave}},
				run: func(s *senderTest) { leftDuringMark(s, leave.Reply) },
			})
		}
	}
	return append(cases, senderCase{
		name:   "a host that says 554 for a mark that takes long refuses no mail",
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Body, After: 1, Times: 1, End: smtptest.Hangup, Reply: "554 5.4.2 timeout exceeded"}}},
		run: func(s *senderTest) {
			_, err := s.sender.Send(s.ctx, workTo("a@example.com"), func(context.Context) error {
				time.Sleep(1100 * time.Millisecond) // as while a database is away
				return nil
			})
			s.isFault(err, message.FaultTemporary, message.ReasonNone, 554)
			s.mustSend(workTo("b@example.com"))
			s.mails(1)
		},
	}, senderCase{
		name:   "a yes that comes before the dot is not believed",
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Data, Raw: "354 go ahead\r\n250 2.0.0 ok\r\n", Times: 1}}},
		run: func(s *senderTest) {
			s.mustFail(workTo("a@example.com"), message.FaultTemporary, message.ReasonNone, 0)
			s.mustSend(workTo("b@example.com"))
			s.mails(1)
		},
	})
}

func leftDuringMark(s *senderTest, said string) {
	code := 0
	if said != "" {
		code = 421
	}
	_, err := s.sender.Send(s.ctx, workTo("a@example.com"), func(context.Context) error {
		s.await(func(st smtptest.Stats) bool { return st.Fired[0] == 1 && st.Open == 0 })
		return nil
	})
	s.isFault(err, message.FaultTemporary, message.ReasonNone, code)
	s.mustSend(workTo("b@example.com"))
	s.mails(1)
}

// markBeforeDot looks at the wire while mark runs: all of the content is there,
// and nothing more, however long one waits.
func markBeforeDot(s *senderTest) {
	work := workTo("a@example.com")
	work.Message.Content.Text = "..\n.\n...dots\n"
	s.mustSend(work)                         // so that its length is known
	stuffed := int64(s.mails(1)[0].Size + 3) // one dot more for each of three lines
	var during smtptest.Stats
	_, err := s.sender.Send(s.ctx, work, func(context.Context) error {
		s.marks++
		s.await(func(st smtptest.Stats) bool { return st.Content == stuffed || st.Steps[smtptest.Dot] > 1 })
		time.Sleep(50 * time.Millisecond) // nothing can be awaited that must not happen
		during = s.srv.Stats()
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.mails(2)
	if dots := during.Steps[smtptest.Dot] - 1; dots != 0 || during.Content != stuffed {
		s.Errorf("while mark ran %d bytes had arrived, want %d, and %d dots", during.Content, stuffed, dots)
	}
	if after := s.srv.Stats().Content; after != stuffed+3 || s.marks != 2 {
		s.Errorf("%d bytes in all, want %d; %d marks", after, stuffed+3, s.marks)
	}
}

// cancelCases end the context at every step before mark: the sender breaks off
// at once, though the host is silent.
func cancelCases() []senderCase {
	var cases []senderCase
	for _, at := range []smtptest.Step{
		smtptest.Connect, smtptest.Ehlo, smtptest.Mail, smtptest.Rcpt, smtptest.Data, smtptest.Body,
	} {
		fault, limit := message.FaultTemporary, SenderSetup{SendTimeout: short}
		switch at {
		case smtptest.Connect, smtptest.Ehlo:
			fault, limit = message.FaultRelayHost, SenderSetup{DialTimeout: short}
		case smtptest.Body:
			fault, limit = message.FaultUnknown, SenderSetup{ReplyTimeout: short}
		}
		cases = append(cases, senderCase{
			name:   "a context that ends at " + string(at) + " breaks the try off",
			script: smtptest.Script{Rules: []smtptest.Rule{{At: at, End: smtptest.Silent, Times: 1}}, Extensions: []string{"8BITMIME"}},
			run: func(s *senderTest) {
				ctx, cancel := context.WithCancel(s.ctx)
				go func() {
					s.await(func(st smtptest.Stats) bool { return st.Fired[0] == 1 })
					cancel()
				}()
				_, err := s.sender.Send(ctx, workTo("a@example.com"), func(ctx context.Context) error {
					<-ctx.Done() // the silence within the content is the host's alone
					return ctx.Err()
				})
				if !errors.Is(err, context.Canceled) {
					s.Fatalf("error %v", err)
				}
				if at != smtptest.Body {
					s.isFault(err, message.FaultTemporary, message.ReasonNone, 0)
				}
				s.mustSend(workTo("b@example.com"))
				s.mails(1)
			},
		}, senderCase{
			name:   "silence at " + string(at) + " ends in time",
			script: smtptest.Script{Rules: []smtptest.Rule{{At: at, End: smtptest.Silent, Times: 1}}},
			setup:  limit,
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), fault, message.ReasonNone, 0)
				s.mustSend(workTo("b@example.com"))
			},
		})
	}
	return append(cases, senderCase{
		name: "a context that has ended sends nothing",
		run: func(s *senderTest) {
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			_, err := s.sender.Send(ctx, workTo("a@example.com"), s.mark)
			s.isFault(err, message.FaultTemporary, message.ReasonNone, 0)
			s.mustSend(workTo("b@example.com")) // and so it is on a kept session
			_, err = s.sender.Send(ctx, workTo("a@example.com"), s.mark)
			s.isFault(err, message.FaultTemporary, message.ReasonNone, 0)
			s.mails(1)
		},
	})
}
