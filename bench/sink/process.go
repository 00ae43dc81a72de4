package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Main is the sink as a process of its own, so that its share of the CPU is known. It
// writes its two addresses on one line, SMTP then HTTP, and serves until ctx ends or
// its parent is gone.
func Main(ctx context.Context, out io.Writer) error {
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	defer s.Close()
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	server := &http.Server{Handler: s.control(), ReadHeaderTimeout: time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if _, err := fmt.Fprintln(out, s.Addr(), control.Addr()); err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	if err := server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("sink: %w", err)
	}
	return nil
}

func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { s.Arrivals.Reset() })
	mux.HandleFunc("GET /summary", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.Arrivals.Summary()) // a client that is gone asks no more
	})
	mux.HandleFunc("GET /times", func(w http.ResponseWriter, r *http.Request) {
		first, err1 := strconv.Atoi(r.FormValue("first"))
		count, err2 := strconv.Atoi(r.FormValue("count"))
		if err := errors.Join(err1, err2); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(s.Arrivals.Times(first, count))
	})
	return mux
}

// Process is a sink that runs as a child of this process.
type Process struct {
	SMTP string // host:port

	control string
	cmd     *exec.Cmd
}

// Start runs this program again as `sink`, which its main must lead to Main. The
// caller stops it.
func Start() (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	cmd := exec.Command(self, "sink")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	p := &Process{cmd: cmd}
	if _, err := fmt.Fscanln(bufio.NewReader(out), &p.SMTP, &p.control); err != nil {
		p.Stop()
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends the process.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says how it ended, which is known
}

// Reset forgets everything.
func (p *Process) Reset(ctx context.Context) error {
	return p.call(ctx, http.MethodPost, "/reset", nil)
}

// Summary is what has come so far.
func (p *Process) Summary(ctx context.Context) (Summary, error) {
	var s Summary
	return s, p.call(ctx, http.MethodGet, "/summary", &s)
}

// Times is as Arrivals.Times.
func (p *Process) Times(ctx context.Context, first, count int) ([]int64, error) {
	var times []int64
	return times, p.call(ctx, http.MethodGet, fmt.Sprintf("/times?first=%d&count=%d", first, count), &times)
}

func (p *Process) call(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.control+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the sink: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the sink: %s", res.Status)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("ask the sink: %w", err)
	}
	return nil
}
