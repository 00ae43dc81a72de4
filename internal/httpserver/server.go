// Package httpserver runs an HTTP handler on an address, with every limit on
// time and size that net/http leaves off by default.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config says where to listen and what one peer may take.
type Config struct {
	Addr          string        // host:port; port 0 takes a free one
	HeaderTimeout time.Duration // until the header is read; 0: 10 s
	ReadTimeout   time.Duration // until header and body are read; 0: 30 s
	WriteTimeout  time.Duration // from the header until the answer is written; 0: 90 s
	IdleTimeout   time.Duration // between requests; 0: 2 min
	HeaderBytes   int           // request line and header; 0: 32 KiB. Beyond: 431
	Log           *slog.Logger  // faults of connections; nil: nowhere
}

func (c Config) withDefaults() Config {
	for field, value := range map[*time.Duration]time.Duration{
		&c.HeaderTimeout: 10 * time.Second, &c.ReadTimeout: 30 * time.Second,
		&c.WriteTimeout: 90 * time.Second, &c.IdleTimeout: 2 * time.Minute,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if c.HeaderBytes == 0 {
		c.HeaderBytes = 32 << 10
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server serves one handler. Start and Stop may be called from any goroutine.
type Server struct {
	http   *http.Server
	log    *slog.Logger
	addr   string
	served chan struct{} // closed when Serve has returned

	mu       sync.Mutex
	listener net.Listener
	stopped  bool
}

// New returns a server that is not listening yet.
func New(config Config, handler http.Handler) *Server {
	c := config.withDefaults()
	return &Server{
		addr: c.Addr, log: c.Log, served: make(chan struct{}),
		http: &http.Server{
			Handler: handler, ReadHeaderTimeout: c.HeaderTimeout, ReadTimeout: c.ReadTimeout,
			WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout,
			// net/http grants 4 KiB beyond what it is told.
			MaxHeaderBytes: max(c.HeaderBytes-4<<10, 1),
			ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		},
	}
}

// Start binds the address before it returns, and then serves. It may be called
// once.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.listener != nil {
		return errors.New("http server: started twice or after its stop")
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("http server: %w", err)
	}
	s.listener = listener
	go s.serve(listener)
	return nil
}

func (s *Server) serve(listener net.Listener) {
	defer close(s.served)
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("http server ended", "addr", listener.Addr().String(), "error", err)
	}
}

// Addr is the address the server listens on; "" before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Stop takes no new connections, lets the requests in hand end, and closes
// those that are left when ctx ends; then it returns the error of ctx. It may
// be repeated, and called before Start.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	running := s.listener != nil
	s.mu.Unlock()
	if !running {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("http server: stop: %w", errors.Join(err, s.http.Close()))
	}
	<-s.served
	return err
}
