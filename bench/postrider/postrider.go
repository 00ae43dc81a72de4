// Package postrider runs Postrider for the benchmark the way its users do: producer
// and consumer processes on Postgres and RabbitMQ, called over HTTP.
package postrider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/job"
)

// Config is how Postrider is run. Zero counts are 1.
type Config struct {
	Name      string // in the tables
	Programs  *rig.Programs
	Services  *rig.Services
	Where     job.Where
	Producers int
	Consumers int
	Env       map[string]string // settings over the defaults of the product

	// Serve is one process instead, postrider serve, which queues within itself. Its
	// workers never rest.
	Serve bool

	// Launch, if not nil, has the last word on the command of each start.
	Launch func(m *rig.Member, c *rig.Command)
}

// System is Postrider under test. It implements job.System.
type System struct {
	cfg    Config
	client *http.Client
	dir    string
	stack  *rig.Stack
	next   chan int // hands out producers in turn
}

// Callers is the most that call at once; each keeps a connection.
const Callers = 256

// New returns Postrider that does not run yet.
func New(cfg Config) *System {
	cfg.Producers, cfg.Consumers = max(1, cfg.Producers), max(1, cfg.Consumers)
	transport := &http.Transport{MaxIdleConnsPerHost: Callers, MaxConnsPerHost: Callers}
	return &System{cfg: cfg, client: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// Name implements job.System.
func (s *System) Name() string { return s.cfg.Name }

// Stack is what runs; nil before Prepare.
func (s *System) Stack() *rig.Stack { return s.stack }

// Prepare implements job.System: the producers run when it returns.
func (s *System) Prepare(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp(s.cfg.Where.Dir, s.cfg.Name+"-"); err != nil {
		return fmt.Errorf("prepare %s: %w", s.cfg.Name, err)
	}
	s.stack, err = rig.NewStack(ctx, rig.Layout{
		Programs: s.cfg.Programs, Dir: s.dir, Services: s.cfg.Services, Producers: s.cfg.Producers,
		Relay: "smtp://" + s.cfg.Where.Sink + "?tls=none", Env: s.settings(), Launch: s.launch(),
	})
	if err != nil {
		return fmt.Errorf("prepare %s: %w", s.cfg.Name, err)
	}
	s.next = make(chan int, 1)
	s.next <- 0
	return nil
}

func (s *System) launch() func(*rig.Member, *rig.Command) {
	if !s.cfg.Serve {
		return s.cfg.Launch
	}
	return func(_ *rig.Member, c *rig.Command) {
		c.Path, c.Args = s.cfg.Programs.Path("postrider"), []string{"serve"}
		c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "POSTRIDER_RABBITMQ_") })
	}
}

// settings are the product's defaults where the rig has others, for as many workers as
// all systems have.
func (s *System) settings() map[string]string {
	env := map[string]string{
		"POSTRIDER_CONSUMERS":      fmt.Sprintf("critical:8,normal:%d", s.cfg.Where.Workers),
		"POSTRIDER_LEASE":          "20s",
		"POSTRIDER_SWEEP_INTERVAL": "5s",
	}
	if s.cfg.Serve { // no other process would send mail of a lane that it leaves out
		env["POSTRIDER_CONSUMERS"] += ",high:1,low:1"
	}
	maps.Copy(env, s.cfg.Env)
	return env
}

// Accept implements job.System: one POST, to the producers in turn.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	body, err := json.Marshal(map[string]any{
		"from": job.From, "to": []string{m.To()}, "subject": m.Subject(), "text": m.Text(), "lane": lane(m),
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.producer()+"/v1/emails", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+rig.APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "bench-"+strconv.Itoa(m.N))
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s", res.Status, answer)
	}
	return err
}

func lane(m job.Mail) message.Lane {
	if m.Lane == "" {
		return message.LaneNormal
	}
	return message.Lane(m.Lane)
}

func (s *System) producer() string {
	apis := s.stack.APIs()
	if len(apis) == 1 {
		return apis[0]
	}
	n := <-s.next
	s.next <- n + 1
	return apis[n%len(apis)]
}

// Open implements job.System.
func (s *System) Open(ctx context.Context) (int, error) { return s.stack.Open(ctx) }

// Processes implements job.System.
func (s *System) Processes() map[string]int {
	pids := map[string]int{}
	for _, m := range s.stack.Members() {
		if p := m.Process(); p != nil && !p.Exited() {
			pids[s.called(m)] = p.PID()
		}
	}
	return pids
}

func (s *System) called(m *rig.Member) string {
	if s.cfg.Serve {
		return rig.Serve
	}
	return m.Name
}

// Servers implements job.System.
func (s *System) Servers() []string {
	if s.cfg.Serve {
		return []string{job.Postgres}
	}
	return []string{job.Postgres, job.RabbitMQ}
}

// Logs is the folder with what the processes wrote.
func (s *System) Logs() string { return filepath.Clean(s.dir) }

// Close implements job.System.
func (s *System) Close(ctx context.Context) error {
	s.client.CloseIdleConnections()
	if s.stack == nil {
		return nil
	}
	return errors.Join(s.stack.Close(ctx), os.RemoveAll(s.dir))
}
