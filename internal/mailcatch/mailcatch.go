// Package mailcatch is the development inbox: an SMTP server that takes every
// mail and delivers none, the HTTP API of MailHog (v2, and the part of v1 that
// tests use) to read them back, and a page to look at them.
//
// Mails live in memory, newest first, bounded in number and in bytes. It is
// made for one developer's machine: no login, loopback only unless told
// otherwise, and whatever a mail contains stays inert on the page.
package mailcatch

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	defaultSMTPListen = "127.0.0.1:1025"
	defaultHTTPListen = "127.0.0.1:8025"
	defaultKeep       = 1000
	defaultMaxBytes   = 64 << 20
	defaultTotalBytes = 256 << 20
)

// Config says where the inbox listens and how much it remembers. The zero
// value of every field means its default.
type Config struct {
	// SMTPListen is the host:port that takes mail; default 127.0.0.1:1025.
	SMTPListen string
	// HTTPListen is the host:port of the page and the API; default
	// 127.0.0.1:8025. Requests that name another host are refused.
	HTTPListen string
	// Keep is the number of mails remembered; default 1000.
	Keep int
	// MaxBytes is the largest mail taken, in bytes; default 64 MiB.
	MaxBytes int64
	// TotalBytes bounds all mails together, in bytes; default 256 MiB. The
	// oldest go first. It is never less than MaxBytes.
	TotalBytes int64
	// Logger gets one line per mail (sizes and ids, never content); nil
	// discards.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.SMTPListen = cmp.Or(c.SMTPListen, defaultSMTPListen)
	c.HTTPListen = cmp.Or(c.HTTPListen, defaultHTTPListen)
	if c.Keep <= 0 {
		c.Keep = defaultKeep
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.TotalBytes <= 0 {
		c.TotalBytes = defaultTotalBytes
	}
	c.TotalBytes = max(c.TotalBytes, c.MaxBytes)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Inbox is the running development inbox. All its methods may be called from
// several goroutines at once.
type Inbox struct {
	cfg     Config
	box     *mailbox
	views   *viewer
	handler http.Handler

	mu  sync.Mutex // guards run, and makes Start and Stop take turns
	run *run
}

// run is what one Start began and one Stop ends.
type run struct {
	smtp      *smtp.Server
	smtpConns *connListener
	http      *http.Server
	httpAddr  net.Addr
	served    sync.WaitGroup // the two Serve loops
	handling  sync.RWMutex   // held for reading by every HTTP request
}

// New builds an inbox that holds nothing and does not listen yet.
func New(cfg Config) *Inbox {
	cfg = cfg.withDefaults()
	i := &Inbox{cfg: cfg, box: newMailbox(cfg.Keep, cfg.TotalBytes), views: &viewer{}}
	i.handler = i.guard(i.routes())
	return i
}

// Handler serves the page and the API without a listener, for mounting at the
// root of another server. It checks the Host header against HTTPListen.
func (i *Inbox) Handler() http.Handler { return i.handler }

// SMTPAddr is the address that takes mail: the bound one while running, the
// configured one otherwise.
func (i *Inbox) SMTPAddr() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.run == nil {
		return i.cfg.SMTPListen
	}
	return i.run.smtpConns.Addr().String()
}

// HTTPAddr is the address of the page and the API: the bound one while
// running, the configured one otherwise.
func (i *Inbox) HTTPAddr() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.run == nil {
		return i.cfg.HTTPListen
	}
	return i.run.httpAddr.String()
}

// Start binds both addresses and begins to serve; it returns when mail can be
// sent. A port that cannot be bound is a *ListenError naming the setting. ctx
// bounds the binding only. Starting a running inbox does nothing.
func (i *Inbox) Start(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.run != nil {
		return nil
	}
	smtpListener, err := listen(ctx, SMTPSetting, i.cfg.SMTPListen)
	if err != nil {
		return err
	}
	httpListener, err := listen(ctx, HTTPSetting, i.cfg.HTTPListen)
	if err != nil {
		_ = smtpListener.Close() // nothing was accepted on it
		return err
	}
	i.box.open()
	r := &run{
		smtp:      i.newSMTPServer(),
		smtpConns: newConnListener(smtpListener),
		httpAddr:  httpListener.Addr(),
	}
	r.http = i.newHTTPServer(r.counted(i.handler))
	r.served.Go(func() { i.serve("smtp", r.smtp.Serve(r.smtpConns)) })
	r.served.Go(func() { i.serve("http", r.http.Serve(httpListener)) })
	i.run = r
	return nil
}

// Stop takes no new mail, lets a mail that is arriving finish until ctx ends,
// then cuts what is left; it returns when nothing runs any more. Mails stay
// readable through Handler. Stopping a stopped inbox does nothing.
func (i *Inbox) Stop(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.run == nil {
		return nil
	}
	r := i.run
	i.run = nil
	i.box.close() // ends the event streams, which Shutdown would wait for
	var both sync.WaitGroup
	both.Go(func() { r.stopSMTP(ctx) })
	var err error
	both.Go(func() { err = r.stopHTTP(ctx) })
	both.Wait()
	r.served.Wait()
	return err
}

// serve reports why a Serve loop ended, unless Stop ended it.
func (i *Inbox) serve(protocol string, err error) {
	if isClosed(err) {
		return
	}
	i.cfg.Logger.Error("inbox: serving ended", "protocol", protocol, "err", err)
}

func (r *run) stopSMTP(ctx context.Context) {
	r.smtpConns.drain()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Not ctx: go-smtp forgets its connections when that ends first.
		_ = r.smtp.Shutdown(context.Background())
	}()
	select {
	case <-done:
	case <-ctx.Done():
		r.smtpConns.cut()
		<-done
	}
}

func (r *run) stopHTTP(ctx context.Context) error {
	var err error
	if r.http.Shutdown(ctx) != nil {
		err = r.http.Close()
	}
	r.handling.Lock() // for good: Close does not wait for handlers
	return err
}

// counted lets a stop wait for the requests that run, and refuses new ones
// from then on.
func (r *run) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.handling.TryRLock() {
			http.Error(w, "the inbox is stopping", http.StatusServiceUnavailable)
			return
		}
		defer r.handling.RUnlock()
		next.ServeHTTP(w, req)
	})
}

func (i *Inbox) newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(i.cfg.Logger.Handler(), slog.LevelWarn),
	}
}
