package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider/test/check/witness"
)

// The programs that a stack is made of.
const (
	Producer = "producer"
	Consumer = "consumer"
	Serve    = "serve" // postrider serve: the embedded mode
)

// Member is a place in a stack that one process after the other takes: name and
// addresses stay.
type Member struct {
	Name    string // such as consumer-2
	Program string
	API     string // the URL of its HTTP API; "" for a consumer
	Metrics string // the URL of its /metrics, /healthz and /readyz

	mu      sync.Mutex
	process *Process
	exits   int // of processes that fell
}

// Process is the one that runs or ran last; nil before the first.
func (m *Member) Process() *Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// Exits counts the processes here that ended though nobody had told them to.
func (m *Member) Exits() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil && m.process.Fell() {
		return m.exits + 1
	}
	return m.exits
}

func (m *Member) take(p *Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil && m.process.Fell() {
		m.exits++
	}
	m.process = p
}

// State is the status of the member's /readyz: ok, degraded, or another; "" if it
// does not answer within 3 s.
func (m *Member) State(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return witness.Process(ctx, m.Name, m.Metrics).State
}

func (m *Member) stop(ctx context.Context) error {
	p := m.Process()
	if p == nil || p.Exited() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return p.Stop(ctx)
}

// Members lists all, in the order they were added.
func (s *Stack) Members() []*Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members)
}

// Of lists the members that run a program; those that Serve are producers and
// consumers too.
func (s *Stack) Of(program string) []*Member {
	return slices.DeleteFunc(s.Members(), func(m *Member) bool {
		return m.Program != program && m.Program != Serve
	})
}

// APIs lists the addresses of the HTTP API.
func (s *Stack) APIs() []string {
	var urls []string
	for _, m := range s.Of(Producer) {
		urls = append(urls, m.API)
	}
	return urls
}

// Add starts one more process of a program and waits until it is ready.
func (s *Stack) Add(ctx context.Context, program string) (*Member, error) {
	m, err := s.newMember(program)
	if err != nil {
		return nil, err
	}
	if err := s.Start(m); err != nil {
		return m, err
	}
	return m, s.Ready(ctx, m)
}

func (s *Stack) newMember(program string) (*Member, error) {
	metrics, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	api, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	m := &Member{Program: program, Metrics: "http://" + metrics}
	if program != Consumer {
		m.API = "http://" + api
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 1
	for _, other := range s.members {
		if other.Program == program {
			n++
		}
	}
	m.Name = fmt.Sprintf("%s-%d", program, n)
	s.members = append(s.members, m)
	return m, nil
}

// Start starts the member's process, for the first time or again, and does not wait.
func (s *Stack) Start(m *Member) error {
	c := Command{Name: m.Name, Path: s.layout.Programs.Path(m.Program), Env: s.environ(m), Log: s.nextLog(m)}
	if m.Program == Serve {
		c.Path, c.Args = s.layout.Programs.Path("postrider"), []string{"serve"}
	}
	if s.layout.Launch != nil {
		s.layout.Launch(m, &c)
	}
	p, err := Start(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.started[p.PID()] = c.Log
	s.mu.Unlock()
	m.take(p)
	return nil
}

// ErrExited is returned where a process ended instead of doing what it should.
var ErrExited = errors.New("has exited")

// Ready waits until every part that the member stands on is well.
func (s *Stack) Ready(ctx context.Context, m *Member) error {
	return s.await(ctx, m.Name+" to be ready", func() (bool, error) {
		if p := m.Process(); p.Exited() {
			return false, fmt.Errorf("%s %w: %w\n%s", m.Name, ErrExited, p.Err(), tail(p.Output(), 4_000))
		}
		return m.State(ctx) == "ok", nil
	})
}

// await asks every 20 ms.
func (s *Stack) await(ctx context.Context, what string, done func() (bool, error)) error {
	return Await(ctx, 20*time.Millisecond, what, done)
}

// Await asks at the given pace until done says so or fails, or ctx is over.
func Await(ctx context.Context, pace time.Duration, what string, done func() (bool, error)) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		}
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
