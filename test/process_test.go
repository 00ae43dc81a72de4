package test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program under test. It dies with the story.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has exited
	err  error         // how it exited; read after done
	torn bool          // killed on purpose
}

// output keeps what a process wrote, for the story that failed.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// launch starts a program with nothing but the given environment.
func launch(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(binary(name), args...), out: &output{}, done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=halt_on_error=1"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.cleanUp)
	return p
}

// cleanUp ends what still runs as an operator would: a process that does not
// stop cleanly fails the story.
func (p *process) cleanUp() {
	if !p.torn && !p.exited() {
		p.stop()
	}
	if p.t.Failed() {
		p.t.Logf("---- %s wrote:\n%s", p.name, tail(p.out.String(), 12_000))
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("%v to %s: %v", s, p.name, err)
	}
}

// kill is kill -9: no word, no goodbye.
func (p *process) kill() {
	p.torn = true
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop is what a service manager does; the process must exit with 0 in time.
func (p *process) stop() {
	p.t.Helper()
	p.torn = true
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s stopped with %v", p.name, p.err)
		}
	case <-time.After(45 * time.Second):
		p.t.Errorf("%s did not stop within 45 s", p.name)
		p.signal(syscall.SIGQUIT) // its goroutines go into the log
		<-p.done
	}
}

// stopping reports whether the process has said that it stops.
func (p *process) stopping() bool { return strings.Contains(p.out.String(), `"msg":"stopping"`) }
