package watermill

import (
	"context"
	"errors"
	"fmt"

	lib "github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

// callers is how many insert at once; more wait for a connection.
const callers = 64

// System is the outbox under test. It implements job.System.
type System struct {
	*child.Crew
	where      job.Where
	pool       *pgxpool.Pool
	publishers []message.Publisher // by outbox
}

// New returns an outbox that has no tables yet.
func New(name string, where job.Where) *System {
	return &System{Crew: child.NewCrew(name, where, job.Postgres, job.RabbitMQ), where: where}
}

// Prepare implements job.System.
func (s *System) Prepare(ctx context.Context) (err error) {
	if s.pool, err = connect(ctx, s.where, callers); err != nil {
		return err
	}
	if err := s.clear(ctx); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return fmt.Errorf("create Watermill's schema: %w", err)
	}
	sub, err := subscriber(s.pool)
	if err != nil {
		return err
	}
	defer sub.Close()
	for n := range outboxes {
		if err := sub.SubscribeInitialize(outbox(n)); err != nil {
			return fmt.Errorf("create an outbox: %w", err)
		}
	}
	return s.open()
}

// open makes a publisher into each outbox.
func (s *System) open() error {
	into, err := sql.NewPublisher(sql.BeginnerFromPgx(s.pool), sql.PublisherConfig{SchemaAdapter: tables()}, logger())
	if err != nil {
		return err
	}
	for n := range outboxes {
		s.publishers = append(s.publishers, forwarder.NewPublisher(into, forwarder.PublisherConfig{ForwarderTopic: outbox(n)}))
	}
	return nil
}

// Accept implements job.System: one insert, which commits by itself since there is no
// other row to write with it.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	s.Accepting()
	msg := message.NewMessageWithContext(ctx, lib.NewUUID(), post.Of(m).Encode())
	return s.publishers[m.N%outboxes].Publish(queue, msg)
}

// Open implements job.System. What is between the outbox and the sink lies in two
// places, so mails are counted here.
func (s *System) Open(ctx context.Context) (int, error) { return s.CountOpen(ctx) }

// Close implements job.System.
func (s *System) Close(ctx context.Context) error {
	s.Dismiss()
	if s.pool == nil {
		return nil
	}
	defer s.pool.Close()
	return s.clear(ctx)
}

func (s *System) clear(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
	if err := errors.Join(err, s.deleteQueue()); err != nil {
		return fmt.Errorf("clear away Watermill's outboxes and queue: %w", err)
	}
	return nil
}

func (s *System) deleteQueue() error {
	conn, err := amqp091.Dial(s.where.Broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDelete(queue, false, false, false)
	return err
}
