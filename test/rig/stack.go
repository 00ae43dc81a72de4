package rig

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/test/check/witness"
)

// APIKey is the key that every stack's API takes.
const APIKey = "story-key-0123456789"

// Layout says what a stack is made of.
type Layout struct {
	Programs *Programs
	Dir      string // an existing folder for databases and logs

	// Services are for the distributed mode: producers and consumers on Postgres and
	// RabbitMQ. Nil is the embedded mode, one process on an SQLite file.
	Services  *Services
	Producers int // distributed; 0 is 1
	Consumers int // distributed; may be 0

	Relay string            // the relay host's URL
	Env   map[string]string // settings over the usual ones, of every process

	// Edit, if not nil, has the last word on a process's settings, at each of its
	// starts: proxies are put in between here.
	Edit func(m *Member, env map[string]string)

	// Launch, if not nil, has the last word on the command of each start: how it is
	// run elsewhere, such as in a network of its own.
	Launch func(m *Member, c *Command)
}

// Stack is a running Postrider. It is safe for concurrent use, but two must not start
// or end the same member at once.
type Stack struct {
	Prefix   string // of the queues; "" when embedded
	Database string // the URL of its own tables

	layout Layout
	db     *sql.DB
	schema string

	mu      sync.Mutex
	members []*Member
	starts  int            // numbers the logs
	started map[int]string // by process id: its log
}

// NewStack makes the tables, starts everything and waits until all is ready. The
// caller closes it, also after an error if the stack is not nil.
func NewStack(ctx context.Context, l Layout) (*Stack, error) {
	s := &Stack{layout: l, started: map[int]string{}}
	if err := s.prepare(ctx); err != nil {
		return s, err
	}
	for _, program := range s.programs() {
		if _, err := s.Add(ctx, program); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Embedded reports whether the stack is one process.
func (s *Stack) Embedded() bool { return s.layout.Services == nil }

func (s *Stack) programs() []string {
	if s.Embedded() {
		return []string{Serve}
	}
	return slices.Concat(
		slices.Repeat([]string{Producer}, max(1, s.layout.Producers)),
		slices.Repeat([]string{Consumer}, s.layout.Consumers))
}

func (s *Stack) prepare(ctx context.Context) error {
	if s.Embedded() {
		var err error
		s.Database = "sqlite:" + filepath.Join(s.layout.Dir, "postrider.db")
		s.db, err = witness.Open(s.Database)
		return err
	}
	s.Prefix = "rig-" + strings.ToLower(rand.Text()[:12])
	s.schema = strings.ReplaceAll(s.Prefix, "-", "_")
	var err error
	if s.Database, err = s.layout.Services.inSchema(s.schema); err != nil {
		return err
	}
	if s.db, err = witness.Open(s.Database); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, "CREATE SCHEMA "+s.schema); err != nil {
		return fmt.Errorf("make a schema: %w", err)
	}
	return s.migrate(ctx)
}

func (s *Stack) migrate(ctx context.Context) error {
	p, err := Start(Command{
		Name: "migrate", Path: s.layout.Programs.Path("postrider"), Args: []string{"migrate"},
		Env: []string{"POSTRIDER_DATABASE_URL=" + s.Database}, Log: filepath.Join(s.layout.Dir, "migrate.log"),
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, p.Output())
	}
	return nil
}

// DB is a connection pool to the stack's tables, for evidence; read-only when
// embedded. It goes past every proxy.
func (s *Stack) DB() *sql.DB { return s.db }

// nextLog is the file for what a member writes from its next start on.
func (s *Stack) nextLog(m *Member) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts++
	return filepath.Join(s.layout.Dir, fmt.Sprintf("%s.%03d.log", m.Name, s.starts))
}

// environ is the environment of a member.
func (s *Stack) environ(m *Member) []string {
	env := map[string]string{
		"HOME":                     s.layout.Dir,
		"POSTRIDER_DATABASE_URL":   s.Database,
		"POSTRIDER_LOG_FORMAT":     "json",
		"POSTRIDER_CONSUMERS":      "critical:2,high:2,normal:8,low:2",
		"POSTRIDER_LEASE":          "6s",
		"POSTRIDER_SMTP_URL":       s.layout.Relay,
		"POSTRIDER_HELLO_NAME":     "stories.example",
		"POSTRIDER_SHUTDOWN_GRACE": "20s",
		"POSTRIDER_SWEEP_INTERVAL": "1s",
		"POSTRIDER_METRICS_LISTEN": strings.TrimPrefix(m.Metrics, "http://"),
	}
	if m.API != "" {
		env["POSTRIDER_API_KEYS"] = "default:" + APIKey
		env["POSTRIDER_LISTEN"] = strings.TrimPrefix(m.API, "http://")
	}
	if !s.Embedded() {
		env["POSTRIDER_RABBITMQ_URL"] = s.layout.Services.Broker
		env["POSTRIDER_RABBITMQ_PREFIX"] = s.Prefix
	}
	maps.Copy(env, s.layout.Env)
	if s.layout.Edit != nil {
		s.layout.Edit(m, env)
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// Close stops every process as an operator would and removes tables and queues.
func (s *Stack) Close(ctx context.Context) error {
	var errs []error
	for _, m := range slices.Backward(s.Members()) {
		errs = append(errs, m.stop(ctx))
	}
	if s.schema != "" && s.db != nil {
		_, err := s.db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+s.schema+" CASCADE")
		errs = append(errs, err, s.deleteQueues(ctx))
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

// grace is how long a process may take to stop: the longest grace that a stack is
// usually given, and then some.
const grace = 45 * time.Second
