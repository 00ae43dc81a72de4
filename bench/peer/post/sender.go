package post

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"
)

// Dialler sends each mail on a connection of its own, as the library's own examples do.
// It is safe for concurrent use.
type Dialler struct{ host host }

// NewDialler sends to addr, host:port.
func NewDialler(addr string) (*Dialler, error) {
	h, err := parse(addr)
	return &Dialler{host: h}, err
}

// Send returns once the server has taken the mail.
func (d *Dialler) Send(ctx context.Context, l Letter) error {
	m, err := l.message()
	if err != nil {
		return err
	}
	client, err := d.host.client()
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, m)
}

// Keeper sends on connections that stay open, each used by one mail at a time. It is
// safe for concurrent use.
type Keeper struct{ sessions chan *session }

// NewKeeper sends to addr, host:port, on so many connections at most.
func NewKeeper(addr string, most int) (*Keeper, error) {
	h, err := parse(addr)
	if err != nil {
		return nil, err
	}
	k := &Keeper{sessions: make(chan *session, most)}
	for range most {
		client, err := h.client(mail.WithoutNoop())
		if err != nil {
			return nil, err
		}
		k.sessions <- &session{client: client}
	}
	return k, nil
}

// Send returns once the server has taken the mail. After an error the connection is
// opened anew for the next mail.
func (k *Keeper) Send(ctx context.Context, l Letter) error {
	m, err := l.message()
	if err != nil {
		return err
	}
	s := <-k.sessions
	defer func() { k.sessions <- s }()
	return s.send(ctx, m)
}

// Close ends all connections; no Send may be under way.
func (k *Keeper) Close() {
	for range cap(k.sessions) {
		(<-k.sessions).end()
	}
}

type session struct {
	client *mail.Client
	open   bool
}

func (s *session) send(ctx context.Context, m *mail.Msg) error {
	if !s.open {
		if err := s.client.DialWithContext(ctx); err != nil {
			return err
		}
		s.open = true
	}
	if err := s.client.Send(m); err != nil {
		s.end()
		return err
	}
	return nil
}

func (s *session) end() {
	if s.open {
		_ = s.client.Close() // the server may be gone
		s.open = false
	}
}

type host struct {
	name string
	port int
}

func parse(addr string) (host, error) {
	name, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return host{}, fmt.Errorf("the SMTP server's address: %w", err)
	}
	port, err := strconv.Atoi(digits)
	if err != nil {
		return host{}, fmt.Errorf("the SMTP server's address: %w", err)
	}
	return host{name, port}, nil
}

func (h host) client(options ...mail.Option) (*mail.Client, error) {
	options = append(options, mail.WithPort(h.port), mail.WithTLSPolicy(mail.NoTLS))
	return mail.NewClient(h.name, options...)
}
