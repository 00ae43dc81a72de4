package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// TestDevNeedsNothing starts postrider dev in an empty folder, sends through
// it, and stops it.
func TestDevNeedsNothing(t *testing.T) {
	screen, stop := dev(t)
	api := "http://" + screen.await(t, "API      http://")
	t.Setenv("POSTRIDER_URL", api)
	tool(t, "", minimal("--wait", "--timeout", "2m")...).expect(t, exitDone, "b@example.com  sent")
	tool(t, "", "healthcheck").expect(t, exitDone, "relay host: ok")
	stop()
}

// TestDevSaysWhereMailGoes has addresses that cannot be pasted as they are, and
// a relay host, beside which the inbox stays empty.
func TestDevSaysWhereMailGoes(t *testing.T) {
	t.Setenv("POSTRIDER_API_KEYS", "my-own-key")
	t.Setenv("POSTRIDER_SMTP_URL", "smtp://user:hunter2@127.0.0.1:1?tls=none")
	_, port, _ := net.SplitHostPort(freeAddress(t))
	screen, stop := dev(t, "LISTEN=:"+port)
	if got := screen.await(t, "API      http://"); got != "127.0.0.1:"+port {
		t.Errorf("the address of the API is %s", got)
	}
	if got := screen.await(t, "unused: mail goes to "); got != "smtp://user:xxxxx@127.0.0.1:1?tls=none" {
		t.Errorf("mail goes to %s", got)
	}
	screen.await(t, "Bearer YOUR_KEY")
	stop()
}

// dev runs postrider dev in an empty folder on free ports. The settings are
// NAME=value without the prefix.
func dev(t *testing.T, settings ...string) (*screen, func()) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range []string{"LISTEN", "METRICS_LISTEN", "INBOX_LISTEN", "INBOX_SMTP_LISTEN"} {
		t.Setenv("POSTRIDER_"+name, freeAddress(t))
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv("POSTRIDER_"+name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	screen, code := newScreen(), make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"dev"}, &terminal{in: strings.NewReader(""), out: screen, err: screen})
	}()
	return screen, func() {
		cancel()
		if c := <-code; c != exitDone {
			t.Errorf("dev ended with %d", c)
		}
	}
}

// freeAddress is for a program that listens there later: not one of those that systems
// hand out meanwhile, and to nobody twice.
func freeAddress(t *testing.T) string {
	t.Helper()
	addr, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// screen is an output that another goroutine can wait on.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // one pending note is enough
}

func newScreen() *screen { return &screen{written: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.written <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

// await returns the word that stands behind label.
func (s *screen) await(t *testing.T, label string) string {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if _, rest, ok := strings.Cut(text, label); ok && strings.Contains(rest, "\n") {
			return strings.Fields(rest)[0]
		}
		select {
		case <-s.written:
		case <-limit:
			t.Fatalf("%q was not printed within two minutes:\n%s", label, text)
		}
	}
}

func TestServersRefuseWrongSettings(t *testing.T) {
	t.Setenv("POSTRIDER_DATABASE_URL", "nonsense")
	for _, program := range []string{"dev", "serve", "migrate"} {
		tool(t, "", program).expect(t, exitUsage, "settings of "+program, "POSTRIDER_DATABASE_URL", "sqlite:FILE")
	}
}

func TestMigrate(t *testing.T) {
	t.Setenv("POSTRIDER_DATABASE_URL", "sqlite:"+t.TempDir()+"/new/postrider.db")
	first := tool(t, "", "migrate")
	first.expect(t, exitDone, "Done")
	tool(t, "", "migrate").expect(t, exitDone, "nothing to do")
}
