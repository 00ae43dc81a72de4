package mailer_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSender(t *testing.T) {
	conformance.Sender(t, func(t *testing.T, setup conformance.SenderSetup) worker.Sender {
		m, err := mailer.New(mailer.Config{
			URL: setup.URL, RootCAs: setup.Roots, Logger: setup.Log, HelloName: "postrider.test",
			DialTimeout: setup.DialTimeout, SendTimeout: setup.SendTimeout, ReplyTimeout: setup.ReplyTimeout,
			SessionIdle: setup.SessionIdle, SessionMails: setup.SessionMails,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	})
}
