// Package job is the job that every system of the benchmark does: take in a mail of
// 2 KB, promise to keep it, hand it to an SMTP server, and know that it did.
package job

import (
	"context"
	"fmt"
	"strings"
)

// Mail is one mail of a run. Its number is the local part of its recipient, by which
// the sink knows it again.
type Mail struct {
	N    int
	Lane string // for systems that have urgency; "" is their normal
}

// From is the sender of every mail.
const From = "shop@sender.example"

// textSize makes a mail 2 KB long, headers included.
const textSize = 1700

var text = strings.Repeat("Thank you for your order. It is packed and on its way to you.\r\n", textSize/64+1)[:textSize-2] + "\r\n"

// To is the recipient.
func (m Mail) To() string { return fmt.Sprintf("%d@example.com", m.N) }

// Subject is the subject.
func (m Mail) Subject() string { return fmt.Sprintf("Order %d", m.N) }

// Text is the body: plain text in lines of 64 bytes.
func (m Mail) Text() string { return text }

// System is a product under test. Accept is safe for concurrent use; the other methods
// are called one at a time, in the order Prepare, then any number of Accept, Work, Rest
// and Open, then Close.
type System interface {
	// Name is what the tables call it; short and unique.
	Name() string

	// Prepare makes the system empty and ready to accept. No worker runs yet.
	Prepare(ctx context.Context) error

	// Accept hands in one mail and returns once the system has promised to deliver it.
	Accept(ctx context.Context, m Mail) error

	// Work starts the workers and returns when they are ready to take mails.
	Work(ctx context.Context) error

	// Rest stops the workers in good form.
	Rest(ctx context.Context) error

	// Open counts the mails that were accepted and are not yet recorded as delivered.
	Open(ctx context.Context) (int, error)

	// Processes are the ids of the system's own processes that run now, by the name
	// of what they do, such as "worker". Servers that systems share are not among them.
	Processes() map[string]int

	// Servers are the shared servers that the system stands on. What others use meanwhile
	// is not of its making.
	Servers() []string

	// Close ends everything and removes what was kept. It is called also after an
	// error, and after a Prepare that failed.
	Close(ctx context.Context) error
}

// The servers that systems share.
const (
	Postgres = "postgres"
	RabbitMQ = "rabbitmq"
	Redis    = "redis"
)

// Where says where things are.
type Where struct {
	Sink     string // host:port of the SMTP server
	Database string // URL of a Postgres database; systems use a schema of their own
	Broker   string // AMQP URL
	Redis    string // redis:// URL; "" where there is none
	Dir      string // an existing folder for files and logs
	Workers  int    // mails sent at the same time
}
