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
	pool   pool

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
	m.pool = pool{most: cfg.MaxIdle, maxAge: cfg.SessionIdle, end: m.retire}
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
	until := time.Now().Add(m.cfg.SendTimeout)
	e, err := newEnvelope(work)
	if err != nil {
		return message.Receipt{}, m.atHost(err)
	}
	if s := m.pool.take(); s != nil {
		receipt, err := m.transact(ctx, s, e, until, mark)
		var dead *deadError
		if !errors.As(err, &dead) {
			return receipt, err
		}
		m.log.DebugContext(ctx, "relay host session had ended; dialling again", "relay_host", m.host.addr)
	}
	s, err := m.open(ctx, until)
	if err != nil {
		return message.Receipt{}, err
	}
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

// Probe opens a session as for a mail, up to and including AUTH, and takes
// leave. An error is a *message.SendError.
func (m *Mailer) Probe(ctx context.Context) error {
	if !m.enter() {
		return m.broken(ctx, stageConnect, ErrStopped)
	}
	defer m.work.Done()
	s, err := m.open(ctx, time.Now().Add(m.cfg.DialTimeout))
	if err != nil {
		return err
	}
	s.quit()
	return nil
}

// Stop refuses new sends, waits for those in hand, and ends all sessions. When
// ctx ends first, connections are closed under the sends that still use them: a
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

// keep puts a session back for the next mail, or ends it. Only a Send calls it:
// its own share in the work is what makes adding to it right, stopped or not.
func (m *Mailer) keep(s *session) {
	if s.mails < m.cfg.SessionMails && m.pool.put(s) {
		return
	}
	m.work.Add(1)
	go m.takeLeave(s)
}

// retire ends the sessions the pool gives up.
func (m *Mailer) retire(sessions []*session) {
	for _, s := range sessions {
		if m.enter() {
			go m.takeLeave(s)
		} else {
			s.drop()
		}
	}
}

// takeLeave ends a session in the background: the sender of a mail has its
// answer and must not wait for that to QUIT. It is bound by quitTime.
func (m *Mailer) takeLeave(s *session) {
	defer m.work.Done()
	s.quit()
}
