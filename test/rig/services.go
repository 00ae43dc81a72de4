package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Services are Postgres and RabbitMQ.
type Services struct {
	Database   string // the URL of Postgres
	Broker     string // the URL of RabbitMQ
	Management string // the URL of its management API

	script []string // nil: not ours to harm
	lock   *os.File
}

// ErrShared is returned for a fault to services that others stand on too.
var ErrShared = errors.New("these services are shared and must not be harmed")

// ErrInUse is returned for a private set that another run holds.
var ErrInUse = errors.New("another run uses this set of services")

// Shared are the services of the tests, which `make services` provides.
func Shared() (*Services, error) { return servicesFrom(os.Getenv) }

// Private starts the named set of scripts/services.sh, or takes the one that runs. It
// is this caller's alone until Close and may be harmed; the name is 1 to 32 of a-z, 0-9
// and dashes.
func Private(ctx context.Context, root, name string) (*Services, error) {
	lock, err := lockSet(filepath.Join(root, ".services-"+name))
	if err != nil {
		return nil, err
	}
	s, err := private(ctx, root, name)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

func lockSet(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "run.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w: wait for it, or choose another name", dir, ErrInUse), lock.Close())
	}
	return lock, nil
}

func private(ctx context.Context, root, name string) (*Services, error) {
	setup := &Services{script: []string{filepath.Join(root, "scripts", "services.sh"), "--name", name}}
	// What an earlier run held still when it was killed would not answer.
	_ = setup.Fault(ctx, "postgres-resume")
	_ = setup.Fault(ctx, "rabbitmq-resume")
	if _, err := setup.run(ctx, "up"); err != nil {
		return nil, err
	}
	env, err := readEnv(filepath.Join(root, ".services-"+name, "env"))
	if err != nil {
		return nil, err
	}
	s, err := servicesFrom(func(name string) string { return env[name] })
	if err != nil {
		return nil, err
	}
	s.script = setup.script
	return s, nil
}

func servicesFrom(get func(string) string) (*Services, error) {
	s := &Services{}
	for name, to := range map[string]*string{
		"POSTRIDER_TEST_DATABASE_URL":            &s.Database,
		"POSTRIDER_TEST_RABBITMQ_URL":            &s.Broker,
		"POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL": &s.Management,
	} {
		if *to = get(name); *to == "" {
			return nil, fmt.Errorf("%s is not set: run `make services` and `. .services/env`, or `make test`", name)
		}
	}
	return s, nil
}

// readEnv reads the lines that scripts/services.sh writes: export NAME='value'.
func readEnv(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, found := strings.CutPrefix(lines.Text(), "export ")
		name, value, ok := strings.Cut(line, "=")
		if found && ok {
			env[name] = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
		}
	}
	return env, lines.Err()
}

// Fault runs a command of scripts/services.sh, such as postgres-kill or
// rabbitmq-wipe, and returns when it has happened.
func (s *Services) Fault(ctx context.Context, command ...string) error {
	_, err := s.run(ctx, command...)
	return err
}

// RabbitMQCtl runs rabbitmqctl and returns what it wrote.
func (s *Services) RabbitMQCtl(ctx context.Context, args ...string) (string, error) {
	return s.run(ctx, append([]string{"rabbitmqctl"}, args...)...)
}

func (s *Services) run(ctx context.Context, args ...string) (string, error) {
	if s.script == nil {
		return "", ErrShared
	}
	cmd := exec.CommandContext(ctx, s.script[0], append(s.script[1:len(s.script):len(s.script)], args...)...)
	var out, failure strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &failure, time.Second
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("services %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), failure.String())
	}
	return out.String(), nil
}

// Close leaves a private set to the next run; its services go on.
func (s *Services) Close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// inSchema is the URL of Postgres for a schema.
func (s *Services) inSchema(schema string) (string, error) {
	u, err := url.Parse(s.Database)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
