package conformance

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/internal/worker"
)

// SenderSetup is how a case wants its sender; zero values stand for the
// sender's own defaults.
type SenderSetup struct {
	URL          string
	Roots        *x509.CertPool
	Log          *slog.Logger
	DialTimeout  time.Duration
	SendTimeout  time.Duration
	ReplyTimeout time.Duration
	SessionIdle  time.Duration
	SessionMails int
}

// senderPatience is how long a case may take. Reaching it is a failure.
const senderPatience = 3 * time.Minute

// short is the limit that a case has a silent host run into. All else that falls under
// the same limit must be through within it, on a busy machine too: a whole session of a
// small mail.
const short = 2 * time.Second

// Sender is the suite for senders over SMTP: every promise of the worker's
// Sender port, and what becomes of every way a relay host can answer, stall,
// break or lie. Start makes a fresh sender and stops it with the test.
func Sender(t *testing.T, start func(*testing.T, SenderSetup) worker.Sender) {
	t.Helper()
	for _, c := range senderCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := smtptest.New(t, c.script)
			setup := c.setup
			setup.Roots = srv.Roots()
			setup.URL = srv.URL(c.tls(), c.user, c.password)
			ctx, cancel := context.WithTimeout(t.Context(), senderPatience)
			t.Cleanup(cancel)
			c.run(&senderTest{T: t, ctx: ctx, srv: srv, sender: start(t, setup)})
			for i := range c.script.Rules {
				if srv.Stats().Fired[i] == 0 {
					t.Errorf("rule %d of the script never acted: the case proves nothing", i)
				}
			}
		})
	}
}

type senderCase struct {
	name           string
	script         smtptest.Script
	setup          SenderSetup
	tlsParam       string // default: none
	user, password string
	run            func(*senderTest)
}

func (c *senderCase) tls() string {
	if c.tlsParam == "" {
		return "none"
	}
	return c.tlsParam
}

// senderCases lists every case of the suite.
func senderCases() []senderCase {
	var all []senderCase
	for _, group := range [][]senderCase{
		verdictCases(), replyCases(), sessionCases(), limitCases(), endCases(), tlsCases(), authCases(), contentCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// senderTest is one case in hand.
type senderTest struct {
	*testing.T
	ctx    context.Context
	srv    *smtptest.Server
	sender worker.Sender
	marks  int
}

// mark is a mark that succeeds.
func (s *senderTest) mark(context.Context) error {
	s.marks++
	return nil
}

func (s *senderTest) send(work *message.Work) (message.Receipt, error) {
	return s.sender.Send(s.ctx, work, s.mark)
}

// mustSend sends a mail that has to be taken.
func (s *senderTest) mustSend(work *message.Work) message.Receipt {
	s.Helper()
	receipt, err := s.send(work)
	if err != nil {
		s.Fatalf("send: %v", err)
	}
	return receipt
}

// mustFail sends a mail that has to fail in the given way.
func (s *senderTest) mustFail(work *message.Work, fault message.Fault, reason message.Reason, code int) message.SendError {
	s.Helper()
	_, err := s.send(work)
	return s.isFault(err, fault, reason, code)
}

func (s *senderTest) isFault(err error, fault message.Fault, reason message.Reason, code int) message.SendError {
	s.Helper()
	var e *message.SendError
	if !errors.As(err, &e) {
		s.Fatalf("error %v (%T) is no *message.SendError", err, err)
	}
	if e.Fault != fault || e.Reason != reason || e.Code != code {
		s.Fatalf("fault %d, reason %q, code %d; want %d, %q, %d: %v", e.Fault, e.Reason, e.Code, fault, reason, code, e)
	}
	if e.RelayHost != s.srv.Addr() || e.Text == "" {
		s.Errorf("the error must name the relay host and say something: %+v", e)
	}
	return *e
}

// mails waits for nothing: what a sender was told is recorded before it is told.
func (s *senderTest) mails(want int) []smtptest.Transaction {
	s.Helper()
	got := s.srv.Mails()
	if len(got) != want {
		s.Fatalf("the relay host took %d mails, want %d", len(got), want)
	}
	return got
}

func (s *senderTest) sessions(want int) {
	s.Helper()
	if got := s.srv.Stats().Sessions; got != want {
		s.Errorf("%d sessions, want %d", got, want)
	}
}

// workTo is a small mail to one recipient.
func workTo(address string) *message.Work {
	return &message.Work{
		Held: message.Held{Key: message.Key{MessageID: uuid.Must(uuid.NewV7())}, Claim: 1}, Channel: message.ChannelEmail,
		Address: address,
		Message: &message.Message{
			ID: uuid.Must(uuid.NewV7()), CreatedAt: time.UnixMilli(1_800_000_000_000),
			Head: message.Head{
				From: message.Address{Email: "sender@example.com"}, To: []message.Address{{Email: address}}, Subject: "A case",
			},
			Content: message.Content{Text: "Hello.\n"},
		},
	}
}
