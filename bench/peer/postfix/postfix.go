// Package postfix is a private Postfix, as a peer: a mail server that takes mail on the
// loopback, keeps it in its queue and relays it.
package postfix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/post"
)

// callers is how many hand in mails at once, each on a session that stays open; more
// wait for one.
const callers = 64

// System is Postfix under test. It implements job.System. It needs to be run by root,
// as every Postfix.
type System struct {
	name   string
	where  job.Where
	dirs   folders
	addr   string
	master *master      // nil where it does not run
	keeper *post.Keeper // nil before Prepare
}

// New returns a Postfix that is not set up yet.
func New(name string, where job.Where) *System {
	return &System{name: name, where: where}
}

// Name implements job.System.
func (s *System) Name() string { return s.name }

// Servers implements job.System: there are none.
func (s *System) Servers() []string { return nil }

// Prepare implements job.System.
func (s *System) Prepare(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("only root can start a Postfix")
	}
	if _, err := exec.LookPath("postfix"); err != nil {
		return fmt.Errorf("%w; scripts/services.sh postfix-install installs it", err)
	}
	if s.addr, err = freeAddress(); err != nil {
		return err
	}
	if s.keeper, err = post.NewKeeper(s.addr, callers); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	s.master, err = start(ctx, s.dirs, s.addr)
	return err
}

func (s *System) configure() (err error) {
	if s.dirs, err = makeFolders(filepath.Join(s.where.Dir, s.name)); err != nil {
		return err
	}
	if err := s.dirs.write("main.cf", settings(s.dirs, s.where)); err != nil {
		return err
	}
	return s.dirs.write("master.cf", services(s.addr, s.where.Workers, false))
}

// freeAddress is one that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port for Postfix: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Accept implements job.System.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	return s.keeper.Send(ctx, post.Of(m))
}

// Work implements job.System: a queue manager starts, and looks through the queue.
func (s *System) Work(ctx context.Context) error {
	if err := s.send(ctx, true); err != nil {
		return err
	}
	return s.dirs.control(ctx, "flush")
}

// Rest implements job.System.
func (s *System) Rest(ctx context.Context) error { return s.send(ctx, false) }

func (s *System) send(ctx context.Context, sending bool) error {
	if err := s.dirs.write("master.cf", services(s.addr, s.where.Workers, sending)); err != nil {
		return err
	}
	return s.dirs.control(ctx, "reload")
}

// queues are in the order in which a mail goes through them, so that one which moves is
// counted twice rather than not at all.
func (s *System) queues() []string {
	return []string{"maildrop", "hold", "incoming", "active", "deferred"}
}

// Open implements job.System: each mail in the queue is a file.
func (s *System) Open(context.Context) (int, error) {
	if err := s.master.fallen(); err != nil {
		return 0, err
	}
	open := 0
	for _, q := range s.queues() {
		err := filepath.WalkDir(filepath.Join(s.dirs.queue(), q), func(_ string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // sent meanwhile
			}
			if err == nil && entry.Type().IsRegular() {
				open++
			}
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("count open mails: %w", err)
		}
	}
	return open, nil
}

// Processes implements job.System: all of Postfix are children of its master.
func (s *System) Processes() map[string]int {
	if s.master == nil {
		return nil
	}
	return map[string]int{"postfix": s.master.cmd.Process.Pid}
}

// Close implements job.System.
func (s *System) Close(ctx context.Context) error {
	if s.keeper != nil {
		s.keeper.Close()
	}
	var err error
	if s.master != nil {
		err = s.master.stop(ctx)
	}
	return errors.Join(err, s.dirs.remove())
}
