package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	bellChannel = "postrider_due"
	// intakeChannel is notified of by the function that enqueues, in the transactions
	// of callers.
	intakeChannel = "postrider_intake"
	ringEvery     = 10 * time.Millisecond // a NOTIFY takes a global lock at its commit: not one per row

	// All processes lose their connections together when the server restarts:
	// they come back apart, and ever less often while it is away.
	reconnectFirst = time.Second
	reconnectMost  = 10 * time.Second
)

// postgresBell rings in this process at once, and in every other on the database
// by NOTIFY and LISTEN on connections of their own. Either begins with its first
// use.
type postgresBell struct {
	*bell
	config *pgx.ConnConfig
	log    *slog.Logger
	name   string // of the one who rings: what he notifies of, he has heard already

	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	outgoing *bell // rings that are to go to other processes
	intake   *bell // rings for whatever lane when an email was enqueued
	hear     sync.Once
	notify   sync.Once
}

func newPostgresBell(config *pgx.ConnConfig, log *slog.Logger) *postgresBell {
	b := &postgresBell{bell: newBell(), config: config, log: log, name: rand.Text(), outgoing: newBell(), intake: newBell()}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *postgresBell) ring(of lanes) {
	b.bell.ring(of)
	b.begin(&b.notify, b.notifyOnce)
	b.outgoing.ring(of)
}

func (b *postgresBell) wait(ctx context.Context) (lanes, error) {
	b.begin(&b.hear, b.listenOnce)
	return b.bell.wait(ctx)
}

func (b *postgresBell) enqueued(ctx context.Context) error {
	b.begin(&b.hear, b.listenOnce)
	_, err := b.intake.wait(ctx)
	return err
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
	return errors.Join(b.bell.stop(), b.intake.stop())
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

// listenOnce passes on what other processes ring, and what callers enqueue. It rings
// for all when it begins, since it cannot know what it missed.
func (b *postgresBell) listenOnce(conn *pgx.Conn) error {
	if _, err := conn.Exec(b.ctx, "LISTEN "+bellChannel+"; LISTEN "+intakeChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	b.bell.ring(message.Lanes())
	b.intake.ring(message.Lanes())
	for {
		n, err := conn.WaitForNotification(b.ctx)
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		if n.Channel == intakeChannel {
			b.intake.ring(message.Lanes())
		} else if of := b.news(n.Payload); len(of) > 0 {
			b.bell.ring(of)
		}
	}
}

func (b *postgresBell) notifyOnce(conn *pgx.Conn) error {
	for {
		of, err := b.outgoing.wait(b.ctx)
		if err != nil {
			return err
		}
		if _, err := conn.Exec(b.ctx, "SELECT pg_notify($1, $2)", bellChannel, b.payload(of)); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		idle(b.ctx, ringEvery)
	}
}

// payload says who rings and for which lanes: "NAME normal low".
func (b *postgresBell) payload(of lanes) string {
	words := []string{b.name}
	for _, lane := range of {
		words = append(words, string(lane))
	}
	return strings.Join(words, " ")
}

// news are the lanes of a payload, unless it is our own. A version that says
// nothing of lanes means all of them.
func (b *postgresBell) news(payload string) lanes {
	words := strings.Fields(payload)
	if len(words) < 2 {
		return message.Lanes()
	}
	if words[0] == b.name {
		return nil
	}
	var of lanes
	for _, word := range words[1:] {
		of = of.with(message.Lane(word))
	}
	return of
}
