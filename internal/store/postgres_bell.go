package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/pause"
)

const (
	bellChannel = "postrider_due"
	ringEvery   = 10 * time.Millisecond // a NOTIFY takes a global lock at its commit: not one per row

	// All processes lose their connections together when the server restarts:
	// they come back apart, and ever less often while it is away.
	reconnectFirst = time.Second
	reconnectMost  = 10 * time.Second
)

// postgresBell rings in every process on the database, by NOTIFY and LISTEN on
// connections of their own. Either begins with its first use.
type postgresBell struct {
	*bell
	config *pgx.ConnConfig
	log    *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	rings  chan struct{}
	listen sync.Once
	notify sync.Once
}

func newPostgresBell(config *pgx.ConnConfig, log *slog.Logger) *postgresBell {
	b := &postgresBell{bell: newBell(), config: config, log: log, rings: make(chan struct{}, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *postgresBell) ring() {
	b.begin(&b.notify, b.notifyOnce)
	select {
	case b.rings <- struct{}{}:
	default:
	}
}

func (b *postgresBell) wait(ctx context.Context) error {
	b.begin(&b.listen, b.listenOnce)
	return b.bell.wait(ctx)
}

// begin starts a task unless it runs already or the bell was stopped.
func (b *postgresBell) begin(once *sync.Once, session func(*pgx.Conn) error) {
	once.Do(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.ctx.Err() == nil {
			b.tasks.Go(func() { b.run(session) })
		}
	})
}

func (b *postgresBell) stop() error {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	b.tasks.Wait()
	return b.bell.stop()
}

// run keeps a connection and a session on it for as long as the store is open.
func (b *postgresBell) run(session func(*pgx.Conn) error) {
	backoff := pause.Backoff{First: reconnectFirst, Most: reconnectMost}
	for b.ctx.Err() == nil {
		err := b.connected(session, backoff.Reset)
		if b.ctx.Err() == nil {
			b.log.Debug("wake-ups are lost until the database is back; the poll goes on", "error", err)
		}
		_ = backoff.Wait(b.ctx) // its only error is the end of ctx, which ends the loop
	}
}

func (b *postgresBell) connected(session func(*pgx.Conn) error, there func()) error {
	conn, err := pgx.ConnectConfig(b.ctx, b.config)
	if err != nil {
		return err
	}
	there()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // a connection of hints: nothing is lost with it
	}()
	return session(conn)
}

// listenOnce passes on what other processes ring. It rings once by itself,
// since it cannot know what it missed.
func (b *postgresBell) listenOnce(conn *pgx.Conn) error {
	if _, err := conn.Exec(b.ctx, "LISTEN "+bellChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		b.bell.ring()
		if _, err := conn.WaitForNotification(b.ctx); err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
	}
}

func (b *postgresBell) notifyOnce(conn *pgx.Conn) error {
	for {
		select {
		case <-b.rings:
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
		if _, err := conn.Exec(b.ctx, "NOTIFY "+bellChannel); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		idle(b.ctx, ringEvery)
	}
}
