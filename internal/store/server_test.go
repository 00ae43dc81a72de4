//go:build databasefaults

package store_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/pause"
)

// server is a Postgres of the test's own, which may be harmed.
type server struct {
	t    *testing.T
	data string
	port int
	cmd  *exec.Cmd
	done chan struct{} // closed when the postmaster has exited
}

// newServer makes and starts a server. Data and WAL go into the folders given;
// "": some folder.
func newServer(t *testing.T, data, wal string) *server {
	t.Helper()
	s := &server{t: t, data: filepath.Join(folder(t, data), "data"), port: freePort(t)}
	args := []string{"-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--wal-segsize=1", "-N"}
	if wal != "" {
		args = append(args, "-X", filepath.Join(folder(t, wal), "wal"))
	}
	s.tool("initdb", args...)
	s.settings("max_wal_size = 16MB", "min_wal_size = 2MB", "shared_buffers = 16MB")
	s.start()
	return s
}

// folder is one that the user postgres may write to.
func folder(t *testing.T, dir string) string {
	t.Helper()
	if dir == "" {
		made, err := os.MkdirTemp("", "postrider-server-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(made) })
		dir = made
	}
	if c := credential(t); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// credential is the user postgres, as whom a server must run that root starts.
func credential(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("%v: install the package postgresql", err)
	}
	uid, errU := strconv.ParseUint(u.Uid, 10, 32)
	gid, errG := strconv.ParseUint(u.Gid, 10, 32)
	if errU != nil || errG != nil {
		t.Fatal(errU, errG)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // Debian keeps them out of PATH
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath(name)
		if err != nil {
			s.t.Fatalf("%v: install the package postgresql", err)
		}
		found = []string{path}
	}
	slices.Sort(found)
	cmd := exec.Command(found[len(found)-1], args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(s.t), Pdeathsig: syscall.SIGKILL}
	return cmd
}

// tool runs one of the programs that come with Postgres.
func (s *server) tool(name string, args ...string) {
	s.t.Helper()
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (s *server) settings(lines ...string) {
	s.t.Helper()
	lines = append(lines, fmt.Sprintf("port = %d", s.port), "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''")
	f, err := os.OpenFile(filepath.Join(s.data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the server and returns when it answers. The processes of a
// postmaster that was killed go by themselves, and until then no other starts.
func (s *server) start() {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for first := true; ; first = false {
		if first || s.exited() {
			s.launch()
		}
		if s.ping() == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(s.log())
			s.t.Fatalf("the server does not start:\n%s", log)
		}
		_ = pause.For(s.t.Context(), 20*time.Millisecond) // nothing tells when it answers; the deadline ends it
	}
}

// log is kept out of the data, whose disk may be full.
func (s *server) log() string {
	return filepath.Join(os.TempDir(), filepath.Base(filepath.Dir(s.data))+".log")
}

func (s *server) launch() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", s.data)
	log, err := os.OpenFile(s.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() { _ = cmd.Wait(); close(done) }()
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); <-done; _ = os.Remove(s.log()) })
}

func (s *server) exited() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *server) ping() error {
	db := s.open()
	defer func() { _ = db.Close() }()
	return db.PingContext(s.t.Context())
}

// kill is kill -9 of the postmaster.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.done
}

func (s *server) url(others ...*server) string {
	hosts := fmt.Sprintf("127.0.0.1:%d", s.port)
	for _, o := range others {
		hosts += fmt.Sprintf(",127.0.0.1:%d", o.port)
	}
	return "postgres://postgres@" + hosts + "/postgres?sslmode=disable"
}

func (s *server) open() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("pgx", s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// ask runs statements for people: settings, and what the server knows.
func (s *server) ask(dest any, query string) {
	s.t.Helper()
	db := s.open()
	defer func() { _ = db.Close() }()
	var err error
	if dest == nil {
		_, err = db.ExecContext(s.t.Context(), query)
	} else {
		err = db.QueryRowContext(s.t.Context(), query).Scan(dest)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// standby makes and starts a server that follows this one.
func (s *server) standby() *server {
	s.t.Helper()
	b := &server{t: s.t, data: filepath.Join(folder(s.t, ""), "data"), port: freePort(s.t)}
	b.tool("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "postgres", "-D", b.data, "-R", "-c", "fast")
	b.settings()
	b.start()
	s.eventually("the standby follows", `SELECT COUNT(*) > 0 FROM pg_stat_replication WHERE state='streaming'`)
	return b
}

// promote makes a standby the primary.
func (s *server) promote() {
	s.t.Helper()
	s.ask(nil, `SELECT pg_promote()`)
	s.eventually("the standby is promoted", `SELECT NOT pg_is_in_recovery()`)
}

// eventually waits until the query says true.
func (s *server) eventually(what, query string) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for ok := false; !ok; {
		if s.ask(&ok, query); time.Now().After(deadline) {
			s.t.Fatalf("not within 30 s: %s", what)
		}
	}
}
