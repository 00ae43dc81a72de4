package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command says what to start.
type Command struct {
	Name string   // for messages
	Path string   // of the program
	Args []string //
	Env  []string // its whole environment but for PATH
	Log  string   // a file, made anew, for all that it writes
}

// Process is a program under test. It dies with this one. It is safe for concurrent
// use.
type Process struct {
	Name string

	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // how it exited; read after done
	told atomic.Bool
}

// Start starts a program.
func Start(c Command) (*Process, error) {
	log, err := os.Create(c.Log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer log.Close()
	p := &Process{Name: c.Name, cmd: exec.Command(c.Path, c.Args...), log: c.Log, done: make(chan struct{})}
	// The race detector's runtime waits a second before it ends a process, for a report that
	// may be on its way; a halt on the first one leaves nothing to wait for.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=halt_on_error=1 atexit_sleep_ms=0"}, c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has exited.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exited reports whether the process has exited.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err is how an exited process ended: nil for exit code 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// ExitCode is the code of an exited process; -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Fell reports whether the process ended though nobody had told it to.
func (p *Process) Fell() bool { return p.Exited() && !p.told.Load() }

// Expected says that the process may end by itself.
func (p *Process) Expected() { p.told.Store(true) }

// Output is what the process has written so far.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Signal sends a signal; one to a process that has exited is no error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to %s: %w", s, p.Name, err)
	}
	return nil
}

// Kill is kill -9: no word, no goodbye. It returns when the process is gone.
func (p *Process) Kill() error {
	p.told.Store(true)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Pause holds the process still; its connections stay open. It returns when no thread
// of it runs any more: the signal alone is on its way to one thread, and on a busy
// machine the others go on meanwhile.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, p.PID(), nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == nil, errors.Is(err, unix.ECHILD): // it is still, or was gone before
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait until %s is still: %w", p.Name, err)
		}
	}
}

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Stop is what a service manager does. The process must exit with 0 before ctx is
// over; then it is killed, after it has written its goroutines into the log.
func (p *Process) Stop(ctx context.Context) error {
	p.told.Store(true)
	if err := errors.Join(p.Resume(), p.Signal(syscall.SIGTERM)); err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s stopped with %w", p.Name, p.err)
		}
		return nil
	case <-ctx.Done():
		_ = p.Signal(syscall.SIGQUIT)
		<-p.done
		return fmt.Errorf("%s did not stop: %w", p.Name, ctx.Err())
	}
}
