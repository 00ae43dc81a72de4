package store_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// pooler stands between a test and Postgres and meets every session at its
// start.
type pooler struct {
	net.Listener
	target string
	meet   func(client *pgproto3.Backend, start *pgproto3.StartupMessage) (goOn bool)
	tasks  sync.WaitGroup
}

// through returns the URL with a pooler in front of its server.
func through(t *testing.T, rawURL string, meet func(*pgproto3.Backend, *pgproto3.StartupMessage) bool) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pooler{Listener: l, target: u.Host, meet: meet}
	p.tasks.Go(p.run)
	t.Cleanup(func() { _ = l.Close(); p.tasks.Wait() })
	u.Host = l.Addr().String()
	return u.String()
}

func (p *pooler) run() {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() {
			defer func() { _ = conn.Close() }()
			p.serve(conn)
		})
	}
}

func (p *pooler) serve(client net.Conn) {
	backend := pgproto3.NewBackend(client, client)
	first, err := backend.ReceiveStartupMessage()
	start, ok := first.(*pgproto3.StartupMessage)
	if err != nil || !ok || !p.meet(backend, start) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	packet, err := start.Encode(nil)
	if err == nil {
		_, err = server.Write(packet)
	}
	if err != nil {
		return
	}
	p.tasks.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
	_, _ = io.Copy(server, client)
}

// TestAPoolerThatTakesNoSettingsIsNamedWithItsRemedy: PgBouncer refuses the
// settings of a session, or forgets them where it was told to ignore them.
func TestAPoolerThatTakesNoSettingsIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	server := storetest.Postgres(t)
	for name, meet := range map[string]func(*pgproto3.Backend, *pgproto3.StartupMessage) bool{
		"refuses": func(client *pgproto3.Backend, _ *pgproto3.StartupMessage) bool {
			client.Send(&pgproto3.ErrorResponse{
				Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: "unsupported startup parameter: lock_timeout",
			})
			_ = client.Flush()
			return false
		},
		"forgets": func(_ *pgproto3.Backend, start *pgproto3.StartupMessage) bool {
			delete(start.Parameters, "lock_timeout")
			return true
		},
	} {
		s := unmigrated(t, store.Config{URL: through(t, server, meet)})
		err := s.Ping(t.Context())
		pooler, ok := errors.AsType[*store.PoolerError](err)
		if !ok || !errors.Is(err, message.ErrUnavailable) || !strings.Contains(err.Error(), "lock_timeout") ||
			!strings.Contains(pooler.Error(), "session mode") {
			t.Errorf("a pooler that %s: %v", name, err)
		}
	}
	s := unmigrated(t, store.Config{URL: through(t, server, func(*pgproto3.Backend, *pgproto3.StartupMessage) bool { return true })})
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("one that passes everything on: %v", err)
	}
}
