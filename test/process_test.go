package test

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postrider/postrider/test/rig"
)

// process is a program under test. It dies with the story.
type process struct {
	*rig.Process
	t    testing.TB
	name string
	out  output
	done chan struct{} // closed when it has exited
	err  error         // how it exited; read after done
	torn bool          // ended on purpose
}

// output is what a process wrote so far.
type output struct{ of *rig.Process }

func (o output) String() string { return o.of.Output() }

// launch starts a program with nothing but the given environment.
func launch(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	home := t.TempDir()
	started, err := rig.Start(rig.Command{
		Name: name, Path: binary(name), Args: args, Env: append([]string{"HOME=" + home}, env...),
		Log: filepath.Join(home, filepath.Base(name)+".log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Process: started, t: t, name: name, out: output{started}, done: make(chan struct{})}
	go func() {
		p.err = started.Err()
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
	if err := p.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// pause holds the process still, and returns when it is.
func (p *process) pause() {
	if err := p.Pause(); err != nil {
		p.t.Error(err)
	}
}

// kill is kill -9: no word, no goodbye.
func (p *process) kill() {
	p.torn = true
	if err := p.Kill(); err != nil {
		p.t.Error(err)
	}
	<-p.done
}

// stop is what a service manager does; the process must exit with 0 in time.
func (p *process) stop() {
	p.t.Helper()
	p.torn = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		p.t.Error(err)
	}
	<-p.done
}

// stopping reports whether the process has said that it stops.
func (p *process) stopping() bool { return strings.Contains(p.out.String(), `"msg":"stopping"`) }
