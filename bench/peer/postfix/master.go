package postfix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds start and stop, each.
const patience = 30 * time.Second

// master is Postfix's first process, the parent of all others.
type master struct {
	cmd   *exec.Cmd
	dirs  folders
	done  chan struct{} // closed when it has exited
	guard *guard
}

// start returns when Postfix greets. The master is started without the script that
// would: the script stays its parent and cannot be told to stop it.
func start(ctx context.Context, dirs folders, addr string) (*master, error) {
	if err := dirs.control(ctx, "check"); err != nil { // makes what is missing
		return nil, err
	}
	programs, err := exec.CommandContext(ctx, "postconf", "-d", "-h", "daemon_directory").Output()
	if err != nil {
		return nil, fmt.Errorf("find Postfix's programs: %w", err)
	}
	m := &master{dirs: dirs, done: make(chan struct{})}
	m.cmd = exec.Command(filepath.Join(strings.TrimSpace(string(programs)), "master"), "-c", dirs.config())
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Postfix: %w", err)
	}
	go func() {
		_ = m.cmd.Wait() // the log says why
		close(m.done)
	}()
	if m.guard, err = watch(m.cmd.Process.Pid); err == nil {
		err = m.awaitGreeting(ctx, addr)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Postfix: %w; its log ends with %q", err, dirs.tail()), m.stop(ctx))
	}
	return m, nil
}

func (m *master) awaitGreeting(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !greets(ctx, addr) {
		select {
		case <-again.C:
		case <-m.done:
			return errors.New("it has exited")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func greets(ctx context.Context, addr string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // a connection just made takes it
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "220") {
		return false
	}
	_, _ = fmt.Fprint(conn, "QUIT\r\n")
	return true
}

// fallen is an error where Postfix has exited.
func (m *master) fallen() error {
	select {
	case <-m.done:
		return fmt.Errorf("master has exited; Postfix's log ends with %q", m.dirs.tail())
	default:
		return nil
	}
}

func (m *master) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	defer m.guard.dismiss()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop Postfix: %w", err)
	}
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		_ = m.cmd.Process.Kill()
		<-m.done
		return fmt.Errorf("stop Postfix: %w", ctx.Err())
	}
}

// control has Postfix do something: reload or flush.
func (f folders) control(ctx context.Context, what string) error {
	out, err := exec.CommandContext(ctx, "postfix", "-c", f.config(), what).CombinedOutput()
	if err != nil {
		return fmt.Errorf("postfix %s: %w: %s", what, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// tail is the end of the log, for messages.
func (f folders) tail() string {
	text, err := os.ReadFile(f.log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}
