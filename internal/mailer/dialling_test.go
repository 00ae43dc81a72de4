//go:build linux

package mailer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
)

// crowded is the address of a listener that accepts nobody and has room for nobody
// more, so that dialling it takes as long as the dialler allows.
func crowded(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

func TestStopEndsDiallingToo(t *testing.T) {
	m, err := mailer.New(mailer.Config{URL: "smtp://" + crowded(t) + "?tls=none", DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := m.Send(t.Context(), work("a@example.com"), marked)
		failed <- err
	}()
	time.Sleep(100 * time.Millisecond) // until it dials
	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Stop took %v", took)
	}
	var e *message.SendError
	if err := <-failed; !errors.As(err, &e) || e.Fault != message.FaultTemporary || !errors.Is(err, mailer.ErrStopped) {
		t.Errorf("the mail ended with %v", err)
	}
}
