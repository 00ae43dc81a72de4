package smtptest_test

import (
	"bytes"
	"context"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send is a client that shares no code with ours.
func send(t *testing.T, srv *smtptest.Server, to, content string) error {
	t.Helper()
	return smtp.SendMail(srv.Addr(), nil, "from@example.com", []string{to}, []byte(content))
}

func TestRecordsWhatArrives(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{})
	content := "Subject: x\r\n\r\n.\r\n..\r\nend\r\n"
	before := time.Now()
	if err := send(t, srv, "to@example.com", content); err != nil {
		t.Fatal(err)
	}
	mails := srv.Mails()
	if len(mails) != 1 || string(mails[0].Data) != content || mails[0].From != "from@example.com" || mails[0].Rcpts[0] != "to@example.com" {
		t.Fatalf("recorded %+v", mails)
	}
	if at := mails[0].At; at.Before(before) || at.After(time.Now()) {
		t.Errorf("it ended at %v", at)
	}
}

func TestRulesActByTurn(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{
		{At: smtptest.Rcpt, Match: "a@", Reply: "550 no"},
		{At: smtptest.Dot, Skip: 1, Times: 1, Reply: "451 later"},
	}})
	if err := send(t, srv, "a@example.com", "x"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("to a@: %v", err)
	}
	for i, want := range []string{"", "451", ""} {
		err := send(t, srv, "b@example.com", "x")
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("mail %d: %v, want %q", i, err, want)
		}
	}
	if st := srv.Stats(); st.Fired[0] != 1 || st.Fired[1] != 1 || st.Accepted != 2 {
		t.Errorf("counts %+v", st)
	}
}

func TestAwaitIsWokenByEvents(t *testing.T) {
	gate := make(chan struct{})
	srv := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Wait: gate}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- send(t, srv, "a@example.com", "x") }()
	if err := srv.AwaitStep(ctx, smtptest.Dot, 1); err != nil {
		t.Fatal(err)
	}
	if st := srv.Stats(); st.Busy != 1 {
		t.Errorf("%d sessions are in the midst of a mail", st.Busy)
	}
	close(gate)
	if err := srv.AwaitMails(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := srv.Await(ctx, func(st smtptest.Stats) bool { return st.Busy == 0 }); err != nil {
		t.Error(err)
	}
}

func TestNotesASloppyClient(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{})
	c, err := smtp.Dial(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{"EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>", "DATA"} {
		if err := c.Text.PrintfLine("%s", line); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Text.ReadResponse(0); err != nil {
			t.Fatal(err)
		}
	}
	content := "a\n.\nb\r.\rc \xff\r\n" + strings.Repeat("x", 100000) + "\r\n"
	if _, err := c.Text.W.WriteString(content + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Text.W.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Text.ReadResponse(250); err != nil {
		t.Fatal(err)
	}
	tx := srv.Mails()[0]
	if !tx.BareLF || !tx.BareCR || !tx.EightBit || tx.LongestLine != 100000 || !bytes.Equal(tx.Data, []byte(content)) {
		t.Errorf("LF %v CR %v 8 %v longest %d, %d bytes", tx.BareLF, tx.BareCR, tx.EightBit, tx.LongestLine, len(tx.Data))
	}
}

func TestOneSessionTooManyIsTurnedAway(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{MaxSessions: 1})
	first, err := smtp.Dial(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if _, err := smtp.Dial(srv.Addr()); err == nil || !strings.HasPrefix(err.Error(), "421") {
		t.Errorf("the second: %v", err)
	}
	if err := first.Quit(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Await(t.Context(), func(st smtptest.Stats) bool { return st.Open == 0 && st.Refused == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := send(t, srv, "a@example.com", "x"); err != nil {
		t.Errorf("after the first: %v", err)
	}
	if st := srv.Stats(); st.Sessions != 2 {
		t.Errorf("counts %+v", st)
	}
}

func TestCloseEndsSilentAndWaitingSessions(t *testing.T) {
	srv, err := smtptest.Start(smtptest.Script{Rules: []smtptest.Rule{
		{At: smtptest.Mail, Times: 1, End: smtptest.Silent}, {At: smtptest.Mail, Wait: make(chan struct{})},
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- send(t, srv, "a@example.com", "x") }()
	}
	if err := srv.AwaitStep(t.Context(), smtptest.Mail, 2); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	srv.Close()
	for range 2 {
		if <-done == nil {
			t.Error("a mail was taken")
		}
	}
}
