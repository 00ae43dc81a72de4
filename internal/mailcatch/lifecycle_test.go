package mailcatch_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/mailcatch"
)

func TestStopIsSafeAtAnyTime(t *testing.T) {
	i := mailcatch.New(mailcatch.Config{SMTPListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0"})
	stop(t, i)
	if i.SMTPAddr() != "127.0.0.1:0" || i.HTTPAddr() != "127.0.0.1:0" {
		t.Error("a stopped inbox has the configured addresses")
	}
	for range 2 {
		if err := i.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, i)
	stop(t, i)
}

func TestStartAndStopFromEverywhere(t *testing.T) {
	i := mailcatch.New(mailcatch.Config{SMTPListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0"})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 15 {
				if n%2 == 0 {
					if err := i.Start(t.Context()); err != nil {
						t.Error(err)
					}
				} else {
					stop(t, i)
				}
				_, _ = i.SMTPAddr(), i.HTTPAddr()
			}
		})
	}
	all.Wait()
	stop(t, i)
}

func TestRestartKeepsTheMails(t *testing.T) {
	i := running(t, mailcatch.Config{})
	post(t, i, "Subject: kept\r\n\r\nx\r\n")
	stop(t, i)
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := list(t, i, "/api/v2/messages").Total; n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestTakenPortNamesTheSetting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	for setting, cfg := range map[string]mailcatch.Config{
		"POSTRIDER_INBOX_SMTP_LISTEN": {SMTPListen: taken, HTTPListen: "127.0.0.1:0"},
		"POSTRIDER_INBOX_LISTEN":      {SMTPListen: "127.0.0.1:0", HTTPListen: taken},
	} {
		err := mailcatch.New(cfg).Start(t.Context())
		var bad *mailcatch.ListenError
		if !errors.As(err, &bad) || bad.Setting != setting || bad.Addr != taken {
			t.Errorf("%s: %v", setting, err)
		}
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), setting+":") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestStopSendsIdleClientsHome(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	stop(t, i)
	expect(t, c, 421)
}

func TestStopLetsAnArrivingMailFinish(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	say(t, c, 250, "MAIL FROM:<a@example.com>")
	say(t, c, 250, "RCPT TO:<b@example.com>")
	say(t, c, 354, "DATA")
	idle := dial(t, i)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop(t, i) }()
	expect(t, idle, 421) // the stop has begun
	select {
	case <-stopped:
		t.Fatal("stopped in the middle of a mail")
	default:
	}
	say(t, c, 250, "Subject: late\r\n\r\nx\r\n.")
	<-stopped
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := list(t, i, "/api/v2/messages").Total; n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestStopIsBounded(t *testing.T) {
	i := running(t, mailcatch.Config{})
	c := dial(t, i)
	say(t, c, 250, "EHLO app.example")
	say(t, c, 250, "MAIL FROM:<a@example.com>")
	say(t, c, 250, "RCPT TO:<b@example.com>")
	say(t, c, 354, "DATA")
	stream := openStream(t, i)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := i.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > time.Minute { // half a mail is waited for longer
		t.Errorf("stop took %v", took)
	}
	if _, err := c.ReadLine(); err == nil {
		t.Error("the half mail was answered")
	}
	for stream.Scan() {
	}
}

func TestStreamTellsOfChanges(t *testing.T) {
	i := running(t, mailcatch.Config{})
	stream := openStream(t, i)
	post(t, i, "Subject: new\r\n\r\nx\r\n")
	for stream.Scan() {
		if stream.Text() == "event: change" {
			return
		}
	}
	t.Error("the stream ended without the event")
}

func TestTooManyStreamsAreRefused(t *testing.T) {
	i := running(t, mailcatch.Config{})
	for range 64 {
		openStream(t, i)
	}
	if a := get(t, i, "/events"); a.status != http.StatusServiceUnavailable {
		t.Errorf("stream 65: %d", a.status)
	}
}
