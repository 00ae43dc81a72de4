package config

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Producer takes messages over HTTP, hands them to the broker and repairs.
type Producer struct {
	Serving
	Metrics  Metrics
	Database Database
	RabbitMQ RabbitMQ
	Queue    Queue
	Blob     Blob
	Fetching
	Repair
	Keeping
	Running
	Log Log
	Origin
}

// Consumer sends.
type Consumer struct {
	Metrics  Metrics
	Database Database
	RabbitMQ RabbitMQ
	Queue    Queue
	Blob     Blob
	SMTP     SMTP
	Sending
	Running
	Log Log
	Origin
}

// Serve is producer and consumer in one process.
type Serve struct {
	Serving
	Metrics  Metrics
	Database Database
	Schema
	RabbitMQ RabbitMQ
	Queue    Queue
	Blob     Blob
	Fetching
	SMTP SMTP
	Sending
	Repair
	Keeping
	Running
	Log Log
	Origin
}

// Dev is Serve with an inbox, and with defaults that need nothing installed.
// Without SMTP.URL, mail goes to the inbox.
type Dev struct {
	Serving
	Metrics  Metrics
	Database Database
	Schema
	RabbitMQ RabbitMQ
	Queue    Queue
	Blob     Blob
	Fetching
	SMTP SMTP
	Sending
	Repair
	Keeping
	Inbox Inbox
	Running
	Log Log
	Origin
}

// Migrate brings the tables of a database up to date.
type Migrate struct {
	Database Database
	Log      Log
	Origin
}

// Client is the command-line tool as a caller of the API.
type Client struct {
	Target
	Origin
}

func programs() []Program {
	return []Program{new(Producer), new(Consumer), new(Serve), new(Dev), new(Migrate), new(Client)}
}

// New returns the program of that name: producer, consumer, serve, dev, migrate
// or client. Nil if there is none.
func New(name string) Program {
	for _, p := range programs() {
		if p.name() == name {
			return p
		}
	}
	return nil
}

func (*Producer) name() string { return "producer" }
func (*Consumer) name() string { return "consumer" }
func (*Serve) name() string    { return "serve" }
func (*Dev) name() string      { return "dev" }
func (*Migrate) name() string  { return "migrate" }
func (*Client) name() string   { return "client" }

func (p *Producer) check(f *faults) {
	p.checkPublic(f)
	requirePostgres(f, p.Database)
	requireRabbitMQ(f, p.RabbitMQ)
	p.RabbitMQ.check(f)
	p.Blob.check(f)
	apart(f, "POSTRIDER_LISTEN", p.Listen, "POSTRIDER_METRICS_LISTEN", p.Metrics.Listen)
}

func (c *Consumer) check(f *faults) {
	requirePostgres(f, c.Database)
	requireRabbitMQ(f, c.RabbitMQ)
	c.RabbitMQ.check(f)
	c.Blob.check(f)
	requireSMTP(f, c.SMTP)
	c.Sending.check(f)
	c.checkChannels(f, c.RabbitMQ)
}

func (s *Serve) check(f *faults) {
	s.checkPublic(f)
	f.require("POSTRIDER_DATABASE_URL", s.Database.URL.Set(), "give postgres://user:password@host/name, or sqlite:FILE for a single machine")
	s.RabbitMQ.check(f)
	s.Blob.check(f)
	oneWriter(f, s.Database, s.RabbitMQ)
	requireSMTP(f, s.SMTP)
	s.Sending.check(f)
	s.checkChannels(f, s.RabbitMQ)
	s.checkAllLanes(f, s.RabbitMQ)
	checkSweep(f, s.Lease, s.SweepInterval)
	apart(f, "POSTRIDER_LISTEN", s.Listen, "POSTRIDER_METRICS_LISTEN", s.Metrics.Listen)
}

func (d *Dev) check(f *faults) {
	d.checkPrivate(f)
	d.RabbitMQ.check(f)
	d.Blob.check(f)
	oneWriter(f, d.Database, d.RabbitMQ)
	d.Sending.check(f)
	d.checkChannels(f, d.RabbitMQ)
	d.checkAllLanes(f, d.RabbitMQ)
	checkSweep(f, d.Lease, d.SweepInterval)
	apart(f, "POSTRIDER_LISTEN", d.Listen, "POSTRIDER_METRICS_LISTEN", d.Metrics.Listen)
	apart(f, "POSTRIDER_INBOX_LISTEN", d.Inbox.Listen, "POSTRIDER_INBOX_SMTP_LISTEN", d.Inbox.SMTPListen)
}

func (m *Migrate) check(f *faults) {
	f.require("POSTRIDER_DATABASE_URL", m.Database.URL.Set(), "give postgres://user:password@host/name or sqlite:FILE")
}

// check knows the base URL of Resend's SDKs, which ends with /v1: with it, every call
// would be to a path that is not there.
func (c *Client) check(f *faults) {
	if strings.HasSuffix(c.URL.String(), "/v1") {
		f.add("POSTRIDER_URL", "ends with /v1", "leave that out, it is added to each call")
	}
}

func requirePostgres(f *faults, d Database) {
	const name = "POSTRIDER_DATABASE_URL"
	f.require(name, d.URL.Set(), "give postgres://user:password@host/name")
	if d.URL.Set() && d.URL.Engine() != Postgres {
		f.add(name, "is an SQLite file", "a file has one process: give a postgres:// URL, or run postrider serve instead")
	}
}

func requireRabbitMQ(f *faults, r RabbitMQ) {
	f.require("POSTRIDER_RABBITMQ_URL", r.URL.Set(), "give amqp://user:password@host:5672/, or run postrider serve, which needs no broker")
}

// oneWriter is for programs that may run on a file. The relay holds its
// transaction while it publishes: on a file that is the only writer, and a slow
// broker would keep the workers from renewing their leases.
func oneWriter(f *faults, d Database, r RabbitMQ) {
	if r.URL.Set() && d.URL.Engine() == SQLite {
		f.add("POSTRIDER_RABBITMQ_URL", "is set, and the database is an SQLite file", "unset it, since a file has one process and needs no broker, or give a postgres:// URL")
	}
}

func requireSMTP(f *faults, s SMTP) {
	f.require("POSTRIDER_SMTP_URL", s.URL.Set(), "give smtp://user:password@host:587 of the server that takes the mail, or try postrider dev, which needs none")
}

const minKeyLength = 16

// checkPublic is for servers that strangers may reach.
func (s *Serving) checkPublic(f *faults) {
	const name = "POSTRIDER_API_KEYS"
	f.require(name, len(s.APIKeys) > 0, "give tenant:key,… with keys of 16 characters or more, such as the output of: openssl rand -hex 24")
	for _, k := range s.APIKeys {
		switch {
		case k.Key.Reveal() == DevKey:
			f.add(name, "holds the key of postrider dev, which everybody knows", "make a key of your own: openssl rand -hex 24")
		case len(k.Key.Reveal()) < minKeyLength:
			f.add(name, "holds a key of tenant "+k.Tenant+" that is shorter than 16 characters", "make a longer one: openssl rand -hex 24")
		}
	}
}

// checkPrivate is for the development server: the key that everybody knows
// opens it, so nobody else may reach it.
func (s *Serving) checkPrivate(f *faults) {
	for _, k := range s.APIKeys {
		if k.Key.Reveal() == DevKey && !s.Listen.Loopback() && !f.has("POSTRIDER_LISTEN") {
			f.add("POSTRIDER_API_KEYS", "is the key that everybody knows, and POSTRIDER_LISTEN="+s.Listen.String()+" is reachable from outside", "set a key of your own, or listen on 127.0.0.1")
		}
	}
}

func (r *RabbitMQ) check(f *faults) {
	if !validPrefix(r.Prefix) && !f.has("POSTRIDER_RABBITMQ_PREFIX") {
		f.add("POSTRIDER_RABBITMQ_PREFIX", "cannot begin a queue's name", "use 1 to 64 letters, digits, dots, dashes or underscores")
	}
}

func validPrefix(s string) bool {
	return s != "" && len(s) <= 64 && made(s, "._-")
}

const longestHold = 25 * time.Minute // RabbitMQ closes the channel at 30

func (s *Sending) check(f *faults) {
	f.relate(s.SendTimeout+s.ReplyTimeout < longestHold, "POSTRIDER_SEND_TIMEOUT", "POSTRIDER_REPLY_TIMEOUT",
		"and POSTRIDER_REPLY_TIMEOUT are "+(s.SendTimeout+s.ReplyTimeout).String()+" together", "keep their sum below 25m: RabbitMQ takes a message back that is held for 30m")
}

// mostChannels are those of one connection: RabbitMQ and its client grant 2,047, one of
// which declares the queues.
const mostChannels = 2000

// checkChannels keeps a process from more consumers than its connection carries. Chance
// would say which go without, and all of a lane could be among them.
func (s *Sending) checkChannels(f *faults, r RabbitMQ) {
	if n := s.Consumers.Total(); r.URL.Set() && n > mostChannels && !f.has("POSTRIDER_CONSUMERS") {
		f.add("POSTRIDER_CONSUMERS", fmt.Sprintf("asks for %d together", n), "give at most 2000, which a connection to RabbitMQ carries, and start more processes")
	}
}

// checkAllLanes is for programs whose queue nobody else may empty.
func (s *Sending) checkAllLanes(f *faults, r RabbitMQ) {
	if r.URL.Set() || f.has("POSTRIDER_RABBITMQ_URL") || f.has("POSTRIDER_CONSUMERS") {
		return
	}
	for _, lane := range message.Lanes() {
		if s.Consumers[lane] == 0 {
			f.add("POSTRIDER_CONSUMERS", "gives nothing to the lane "+string(lane), "give each lane at least 1: without RabbitMQ no other process would send its mail")
		}
	}
}

func checkSweep(f *faults, lease, interval time.Duration) {
	f.relate(interval <= lease, "POSTRIDER_SWEEP_INTERVAL", "POSTRIDER_LEASE",
		"is longer than POSTRIDER_LEASE="+lease.String(), "let it be the shorter of the two")
}

// apart refuses two listeners on one port. Port 0 is a new one each time.
func apart(f *faults, name string, one Address, otherName string, other Address) {
	_, a, _ := net.SplitHostPort(one.String())
	_, b, _ := net.SplitHostPort(other.String())
	f.relate(a == "" || a == "0" || a != b, name, otherName,
		"="+one.String()+" has the port of "+otherName+"="+other.String(), "give each listener a port of its own")
}
