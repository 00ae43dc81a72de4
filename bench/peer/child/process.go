package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postrider/postrider/bench/job"
)

// Command is the first argument with which the bench's main leads to a worker.
const Command = "worker"

// patience bounds start and stop, each. River waits for a lost leadership, RabbitMQ for
// channels: seconds, not minutes.
const patience = 30 * time.Second

// process is a worker as the bench sees it. Its methods are called one at a time.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when the worker is gone
	log   string      // file with what it wrote to stderr
}

// start returns when the worker is ready.
func start(ctx context.Context, name string, where job.Where) (*process, error) {
	p := &process{lines: make(chan string, 1), log: filepath.Join(where.Dir, name+"-worker.log")}
	if err := p.launch(name, where); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	line, err := p.read(ctx)
	if err == nil && line != ready {
		err = fmt.Errorf("it said %q", line)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	return p, nil
}

func (p *process) launch(name string, where job.Where) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	place, err := json.Marshal(where)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(self, Command, name)
	p.cmd.Env = append(os.Environ(), whereVariable+"="+string(place))
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, p.cmd.Start()); err != nil {
		return err
	}
	p.in = in
	go p.listen(out)
	return nil
}

// listen ends with the worker's output, which is when everything was read that Wait
// would close.
func (p *process) listen(out io.Reader) {
	defer close(p.lines)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.lines <- lines.Text()
	}
}

// read takes the next line.
func (p *process) read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case line, more := <-p.lines:
		if !more {
			return "", fmt.Errorf("the worker is gone; its log ends with %q", p.tail())
		}
		return line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("the worker says nothing: %w", ctx.Err())
	}
}

func (p *process) count(ctx context.Context) (int, error) {
	line, err := p.read(ctx)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(line)
}

// delivered asks for the count.
func (p *process) delivered(ctx context.Context) (int, error) {
	if _, err := fmt.Fprintln(p.in, "?"); err != nil {
		return 0, fmt.Errorf("ask the worker: %w; its log ends with %q", err, p.tail())
	}
	return p.count(ctx)
}

// stop returns the last count once the process is gone.
func (p *process) stop(ctx context.Context) (int, error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, fmt.Errorf("stop the worker: %w", err)
	}
	count, err := p.count(ctx)
	if err != nil {
		p.kill()
		return 0, fmt.Errorf("stop the worker: %w", err)
	}
	for range p.lines { // until it has closed its output
	}
	if err := p.cmd.Wait(); err != nil {
		return 0, fmt.Errorf("the worker stopped with %w; its log ends with %q", err, p.tail())
	}
	return count, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	for range p.lines {
	}
	_ = p.cmd.Wait() // says how it ended, which is known
}

// tail is the end of the log, for messages.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}
