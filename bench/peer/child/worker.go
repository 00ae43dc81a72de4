package child

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/postrider/postrider/bench/job"
)

// whereVariable is the environment variable that holds a worker's job.Where as JSON.
const whereVariable = "BENCH_WHERE"

const ready = "ready"

// Work is the worker side of a system. It calls p.Ready once it consumes, goes on until
// ctx is over, and returns when the mails in hand are done with.
type Work func(ctx context.Context, where job.Where, p *Parent) error

// Parent is the bench, as its worker sees it. It is safe for concurrent use.
type Parent struct {
	delivered atomic.Int64

	mu  sync.Mutex
	out io.Writer
}

// Ready says that the worker consumes. What it counts before is told as what it counts
// later.
func (p *Parent) Ready() { p.say(ready) }

// Delivered counts a mail that the system has recorded as delivered. It is for systems
// that cannot be asked how many are open.
func (p *Parent) Delivered() { p.delivered.Add(1) }

func (p *Parent) tellCount() { p.say(p.delivered.Load()) }

func (p *Parent) say(what any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintln(p.out, what) // a parent that is gone has taken this process with it
}

// answer tells the count at every line of in.
func (p *Parent) answer(in io.Reader) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		p.tellCount()
	}
}

// Main is a worker process: it works until SIGTERM and tells the count once more.
func Main(work Work) error {
	var where job.Where
	if err := json.Unmarshal([]byte(os.Getenv(whereVariable)), &where); err != nil {
		return fmt.Errorf("read %s: %w", whereVariable, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	p := &Parent{out: os.Stdout}
	go p.answer(os.Stdin)
	if err := work(ctx, where, p); err != nil {
		return err
	}
	p.tellCount()
	return nil
}
