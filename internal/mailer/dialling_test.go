//go:build linux

package mailer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
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
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}

// dialled waits until a connection to the address is under way: state 02, SYN_SENT, in
// proc(5).
func dialled(t *testing.T, addr string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.After(time.Minute); ; {
		sockets, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(sockets), fmt.Sprintf(" 0100007F:%04X 02 ", n)) {
			return
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatal("nobody dials")
		}
	}
}

func TestStopEndsDiallingToo(t *testing.T) {
	addr := crowded(t)
	m, err := mailer.New(mailer.Config{URL: "smtp://" + addr + "?tls=none", DialTimeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := m.Send(t.Context(), work("a@example.com"), marked)
		failed <- err
	}()
	dialled(t, addr)
	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > time.Minute { // the system gives up after two
		t.Errorf("Stop took %v", took)
	}
	var e *message.SendError
	if err := <-failed; !errors.As(err, &e) || e.Fault != message.FaultTemporary || !errors.Is(err, mailer.ErrStopped) {
		t.Errorf("the mail ended with %v", err)
	}
}
