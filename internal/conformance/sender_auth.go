package conformance

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

const (
	caseUser     = "user@example.com"
	casePassword = "pass/w:rd%20=\"ä"
)

// authCases log in by every mechanism, and see to it that no failure tells the
// password.
func authCases() []senderCase {
	var cases []senderCase
	logins := map[string]string{caseUser: casePassword}
	for _, mech := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"} {
		cases = append(cases, senderCase{
			name: "a login by " + mech, user: caseUser, password: casePassword,
			script: smtptest.Script{Users: logins, Mechanisms: []string{mech}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				if tx := s.mails(1)[0]; tx.User != caseUser {
					s.Errorf("logged in as %q", tx.User)
				}
			},
		}, senderCase{
			name: "a wrong password by " + mech, user: caseUser, password: casePassword,
			script: smtptest.Script{Users: map[string]string{caseUser: "another"}, Mechanisms: []string{mech}},
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 535)
				s.isFault(s.sender.Probe(s.ctx), message.FaultRelayHost, message.ReasonNone, 535)
			},
		})
	}
	for _, code := range []int{421, 454, 535, 554} {
		cases = append(cases, senderCase{
			name: fmt.Sprintf("%d at AUTH is the relay host's fault", code), user: caseUser, password: casePassword,
			script: smtptest.Script{Users: logins, Rules: []smtptest.Rule{replying(smtptest.Auth, code)}},
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, code)
			},
		})
	}
	return append(cases, senderCase{
		name: "no mechanism in common", user: caseUser, password: casePassword,
		script: smtptest.Script{Users: logins, Mechanisms: []string{"GSSAPI"}},
		run: func(s *senderTest) {
			s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 0)
		},
	}, senderCase{
		name: "a host that asks for an age of computing", user: caseUser, password: casePassword, setup: SenderSetup{DialTimeout: 5 * time.Second},
		script: smtptest.Script{Users: logins, Mechanisms: []string{"SCRAM-SHA-256"}, Iterations: math.MaxInt},
		run: func(s *senderTest) {
			s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 0)
		},
	}, tellTale(smtptest.Auth, 535), tellTale(smtptest.Mail, 554), tellTale(smtptest.Dot, 554), tellTale(smtptest.Dot, 250))
}

// tellTale is a host that repeats all it was told.
func tellTale(at smtptest.Step, code int) senderCase {
	var told logBuffer
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	secrets := []string{casePassword, encode(casePassword), encode("\x00" + caseUser + "\x00" + casePassword)}
	return senderCase{
		name: fmt.Sprintf("no password in what is kept when the host repeats it at %s with %d", at, code), user: caseUser, password: casePassword,
		setup: SenderSetup{Log: slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug}))},
		script: smtptest.Script{
			Users: map[string]string{caseUser: casePassword},
			Rules: []smtptest.Rule{{At: at, Reply: fmt.Sprintf("%d told: %s", code, strings.Join(secrets, " "))}},
		},
		run: func(s *senderTest) {
			receipt, err := s.send(workTo("a@example.com"))
			if (err == nil) != (code == 250) {
				s.Fatalf("error %v", err)
			}
			everything := fmt.Sprintf("%+v %v %+v %#v %s", receipt, err, err, err, told.String())
			for _, secret := range secrets {
				if strings.Contains(everything, secret) {
					s.Errorf("the password is told in %s", everything)
				}
			}
		},
	}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is what was written so far.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
