package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

// ErrStopped is why a Send or Probe after Stop failed.
var ErrStopped = errors.New("the mailer is stopped")

// Mailer sends mail to one relay host with one login. It keeps sessions open
// between mails. Safe for concurrent use; each Send in hand has a session of
// its own.
type Mailer struct {
	cfg    Config
	host   relayHost
	tls    *tls.Config
	redact *strings.Replacer
	log    *slog.Logger
	pool   *pool

	life   context.Context // ends when a Stop waits no longer
	expire context.CancelFunc

	mu      sync.Mutex
	stopped bool
	conns   map[*conn]bool // every connection there is
	work    sync.WaitGroup // sends, probes and leave-takings in hand; added to under mu
}

// New reads the configuration; it does not dial. Its errors name no password.
func New(cfg Config) (*Mailer, error) {
	host, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	m := &Mailer{
		cfg: cfg, host: host, tls: host.tlsConfig(cfg.RootCAs), redact: host.redactor(), log: cfg.Logger,
		conns: map[*conn]bool{},
	}
	m.life, m.expire = context.WithCancel(context.Background())
	m.pool = newPool(cfg.MaxIdle, cfg.SessionIdle, m.retire)
	return m, nil
}

// RelayHost is the host:port that mail is sent to.
func (m *Mailer) RelayHost() string { return m.host.addr }

// Send implements the worker's Sender. A kept session that has ended meanwhile
// is replaced once, within the same call. When ctx ends after mark the reply is
// waited for no longer, and the error is FaultUnknown.
func (m *Mailer) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	if !m.enter() {
		return message.Receipt{}, m.broken(ctx, stageConnect, ErrStopped)
	}
	defer m.work.Done()
	ctx, release := m.within(ctx)
	defer release()
	until := time.Now().Add(m.cfg.SendTimeout)
	e, err := newEnvelope(work)
	if err != nil {
		return message.Receipt{}, m.atHost(err)
	}
	var unread *render.FileError
	if e.files, unread = openFiles(ctx, until, m.cfg.OpenBlob, work.Message); unread != nil {
		if ctx.Err() != nil {
			return message.Receipt{}, m.broken(ctx, stageConnect, unread)
		}
		return message.Receipt{}, m.unreadable(ctx, unread)
	}
	defer e.files.close()
	s, err := m.session(ctx, until, false)
	for err == nil {
		receipt, failed := m.use(ctx, s, e, until, mark)
		var dead *deadError
		if !errors.As(failed, &dead) {
			return receipt, failed
		}
		if !m.pool.reopen() {
			return receipt, dead.err
		}
		m.log.DebugContext(ctx, "relay host session had ended; dialling again", "relay_host", m.host.addr)
		s, err = m.session(ctx, until, true)
	}
	return message.Receipt{}, err
}

// session returns a kept session, or a new one, or, where the host admits no
// more, the next that comes free. With granted the place for a new one is the
// caller's already.
func (m *Mailer) session(ctx context.Context, until time.Time, granted bool) (*session, error) {
	for ; ; granted = false {
		if !granted {
			if s, err := m.acquire(ctx, until); s != nil || err != nil {
				return s, err
			}
		}
		s, err := m.open(ctx, until)
		if err == nil {
			m.pool.opened()
			return s, nil
		}
		if !m.oneTooMany(ctx, err, until) {
			return nil, err
		}
	}
}

// acquire returns a kept session, or nil and the place for a new one.
func (m *Mailer) acquire(ctx context.Context, until time.Time) (*session, error) {
	s, err := m.pool.acquire(ctx, until)
	if err == nil {
		return s, nil
	}
	if s != nil {
		m.giveBack(s)
	}
	var told *message.SendError
	if errors.As(err, &told) {
		return nil, told
	}
	return nil, m.broken(ctx, stageConnect, err)
}

// oneTooMany gives a place back that came to no session, and reports whether
// only because the host admits no more of ours. Many bound them, Postfix to 50
// for each client: they answer with a 4xx before any mail, or, where a firewall
// counts, not at all, while they admit others.
func (m *Mailer) oneTooMany(ctx context.Context, err error, until time.Time) bool {
	var e *message.SendError
	if !errors.As(err, &e) || e.Fault != message.FaultRelayHost || !time.Now().Before(until) {
		m.pool.failed(nil) // who gave up has learned nothing about the host
		return false
	}
	if e.Code/100 != 4 && !m.turnedAway(e) {
		m.pool.failed(err)
		return false
	}
	again, learned := m.pool.refused(err)
	if again {
		level := slog.LevelDebug
		if learned {
			level = slog.LevelInfo
		}
		m.log.Log(ctx, level, "relay host admits no more sessions: using in turn those there are", "relay_host", m.host.addr, "reply", e.Text)
	}
	return again
}

// use sends a mail over a session and gives the session back, however that ends.
// The place of one that was dead stays the caller's, for another in its stead.
func (m *Mailer) use(ctx context.Context, s *session, e envelope, until time.Time, mark func(context.Context) error) (receipt message.Receipt, err error) {
	s.fit = false
	defer func() {
		var dead *deadError
		if !errors.As(err, &dead) {
			m.giveBack(s)
		}
	}()
	return m.transact(ctx, s, e, until, mark)
}

// atHost completes an error that was made without knowing the relay host.
func (m *Mailer) atHost(err error) error {
	var e *message.SendError
	if errors.As(err, &e) {
		e.RelayHost = m.host.addr
	}
	return err
}

// Stop refuses new sends, waits for those in hand, and ends all sessions. When
// ctx ends first, the contexts of sends end too, and connections are closed: a
// mail whose final dot was written then ends as FaultUnknown. Stop returns when
// nothing runs any more, which a mark that does not heed its context can delay;
// its error is that of ctx. It may be called again, and at any time.
func (m *Mailer) Stop(ctx context.Context) error {
	m.pool.close() // first, while its sessions can still take leave
	m.mu.Lock()
	m.stopped = true
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		m.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	m.expire()
	m.pool.abandon(ErrStopped)
	m.mu.Lock()
	for c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	<-done
	return ctx.Err()
}

// Close is Stop without patience.
func (m *Mailer) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.Stop(ctx)
}

// enter counts a piece of work that Stop waits for.
func (m *Mailer) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return false
	}
	m.work.Add(1)
	return true
}

// within returns a context that ends with ctx and, at the latest, with the patience
// of Stop: what dials or reads a file has no connection to be closed under it.
func (m *Mailer) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(m.life, func() { cancel(ErrStopped) })
	return ctx, func() { forget(); cancel(nil) }
}

// register makes a connection known to Stop; the function returned forgets it.
func (m *Mailer) register(c *conn) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[c] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.conns, c)
	}
}

// giveBack ends a place's use by a Send or Probe, whose own share in the work is
// what makes adding to it right, stopped or not.
func (m *Mailer) giveBack(s *session) {
	switch {
	case !s.fit:
		s.drop()
		m.pool.release()
	case s.mails < m.cfg.SessionMails && m.pool.put(s):
	default:
		m.work.Add(1)
		go m.takeLeave(s)
	}
}

// retire ends a session that the pool gives up, which it does no more once Stop
// has begun to wait.
func (m *Mailer) retire(s *session) {
	if m.enter() {
		go m.takeLeave(s)
	}
}

// takeLeave ends a session in the background: the sender of a mail has its
// answer and must not wait for that to QUIT. It is bound by quitTime.
func (m *Mailer) takeLeave(s *session) {
	defer m.work.Done()
	s.quit()
	m.pool.release()
}
