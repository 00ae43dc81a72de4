package config

import "time"

// DevKey is the API key of the development server. It stands in the
// documentation, so no other program takes it.
const DevKey = "pr_dev_key_not_a_secret"

// Serving is how callers reach the HTTP API.
type Serving struct {
	Listen    Address   `default:":8080" dev:"127.0.0.1:8080" desc:"Where the HTTP API listens."`
	APIKeys   APIKeys   `secret:"true" dev:"pr_dev_key_not_a_secret" desc:"Admin keys of the API as tenant:key, separated by commas: what a new server is first reached with, see Keys. A key alone belongs to the tenant default. Each is at least 16 characters long, except in dev."`
	PublicURL ServerURL `desc:"How callers reach the API, such as https://mail.example.com: what links to attachments begin with. Without it, the host that the request names."`
}

func (Serving) about() (string, string) {
	return "HTTP API", ""
}

// Metrics is where Prometheus looks.
type Metrics struct {
	Listen Address `default:":9090" consumer:":9091" dev:"127.0.0.1:9090" desc:"Where /metrics, /healthz and /readyz listen, apart from the API so that they can stay unreachable from outside."`
}

func (Metrics) about() (string, string) {
	return "Metrics", ""
}

// Database is the store.
type Database struct {
	URL   DatabaseURL `secret:"true" dev:"sqlite:data/postrider.db" desc:"postgres://user:password@host:5432/name, or sqlite:FILE for serve and dev: a file has one process."`
	Conns int         `default:"16" min:"4" max:"500" desc:"Connections to Postgres that one process may hold, two for wake-ups aside. All processes together stay below the server's max_connections."`
}

func (Database) about() (string, string) {
	return "Database", "What is accepted is kept here. Messages in a database survive every restart of everything else."
}

// Schema is about the tables.
type Schema struct {
	Migrate string `default:"auto" oneof:"auto|off" desc:"auto brings the tables up to date at start; off refuses to start on old tables. Producer and consumer never migrate: run postrider migrate before they start."`
}

func (Schema) about() (string, string) { return "Database", "" }

// RabbitMQ is the broker.
type RabbitMQ struct {
	URL    RabbitMQURLs `secret:"true" desc:"amqp:// or amqps:// URLs of the broker's nodes, separated by commas; one after the other is tried. Without it serve and dev queue within the process, as they must on an SQLite file; producer and consumer need it."`
	Prefix string       `default:"postrider" desc:"What the names of exchange and queues begin with: 1 to 64 letters, digits, dots, dashes or underscores."`
}

func (RabbitMQ) about() (string, string) {
	return "Broker", "The broker holds references to messages, never the messages: losing it loses nothing."
}

// Queue is how queues are declared.
type Queue struct {
	Type   string `default:"quorum" oneof:"quorum|classic" desc:"quorum survives the loss of a broker node; classic is for a single small node. Changing it needs new queues: choose another prefix, or delete the old queues."`
	Parcel int    `default:"1" min:"1" max:"64" desc:"The most mails that one message on the broker stands for while many wait in lane normal or low. Above 1 the broker has less to do for each mail of a backlog; each is still claimed, sent and recorded by itself."`
}

func (Queue) about() (string, string) { return "Broker", "" }

// SMTP is the relay host that takes the mail.
type SMTP struct {
	URL SMTPURL `secret:"true" desc:"The server that takes the mail: smtp://user:password@host:587?tls=required, or tls=implicit (port 465), or tls=none (port 25). TLS is required unless written otherwise. In dev, without it, mail goes to the development inbox."`
}

func (SMTP) about() (string, string) { return "Sending", "" }

// Sending is how consumers work.
type Sending struct {
	Consumers    Consumers     `default:"critical:8,high:16,normal:32,low:8" desc:"How many mails of each lane one process sends at the same time, as lane:count. A lane left out gets none. With RabbitMQ at most 2,000 together."`
	Lease        time.Duration `default:"20s" min:"6s" max:"10m" desc:"How long a mail stays with a worker that is not heard of; renewed every quarter of it. Mail of a crashed worker is taken up again after this time."`
	Mark         string        `default:"always" oneof:"always|hold" desc:"When a mail is marked as possibly sent. always: just before its final dot. hold: there only with on_unknown hold, any other as soon as a worker takes it; that saves a write to the database for each mail, and makes an unknown outcome of every worker's death. See Operating."`
	SendTimeout  time.Duration `default:"2m" min:"1s" max:"15m" desc:"The longest a try may take until the mail is handed over, the wait for the final reply not counted."`
	ReplyTimeout time.Duration `default:"10m" min:"1s" max:"15m" desc:"The longest wait for the final reply. Shorter than 10m makes duplicates with slow servers (RFC 5321, 4.5.3.2.6)."`
	RetryWindow  time.Duration `default:"72h" min:"10s" max:"720h" desc:"How long a mail that is refused for now is tried again before it fails."`
	HelloName    HostName      `desc:"The name this host gives in EHLO. Without it, the name of the machine."`
}

func (Sending) about() (string, string) {
	return "Sending", "LEASE is at least SWEEP_INTERVAL. SEND_TIMEOUT and REPLY_TIMEOUT together stay below 25m, because RabbitMQ closes a consumer that holds a message for 30m."
}

// Repair is the periodic sweep.
type Repair struct {
	SweepInterval time.Duration `default:"5s" min:"1s" max:"1m" desc:"How often to look for mail whose worker or queue was lost."`
}

func (Repair) about() (string, string) { return "Repair", "" }

// Keeping is what becomes of messages in the end.
type Keeping struct {
	Retention Retention `default:"forever" desc:"How long a message is kept once all of it has ended, sent or not: forever, a number of days such as 90d, or a time such as 36h; at least 24h. Then it is deleted with its recipients, attachments and history."`
}

func (Keeping) about() (string, string) { return "Keeping", "" }

// Inbox is the development inbox.
type Inbox struct {
	Listen     Address `default:"127.0.0.1:8025" desc:"Where the development inbox shows its page and MailHog's API."`
	SMTPListen Address `default:"127.0.0.1:1025" desc:"Where the development inbox takes mail."`
}

func (Inbox) about() (string, string) { return "Development inbox", "" }

// Running is how a process behaves as a whole.
type Running struct {
	ShutdownGrace time.Duration `default:"30s" min:"1s" max:"30m" desc:"How long a stop waits for what is in hand. Mail that is not handed over by then is given back and sent by another worker. Give the service manager a few seconds more."`
}

func (Running) about() (string, string) { return "Process", "" }

// Log is what the process writes to standard error.
type Log struct {
	Format string `default:"auto" oneof:"auto|text|json" desc:"text for people, json for machines; auto is text on a terminal and json elsewhere."`
	Level  string `default:"info" oneof:"debug|info|warn|error" desc:"The least important lines to write."`
}

func (Log) about() (string, string) { return "Process", "" }

// Target is the server that the command-line tool talks to.
type Target struct {
	URL    ServerURL `default:"http://127.0.0.1:8080" desc:"The server that the command-line tool talks to."`
	APIKey APIKey    `secret:"true" default:"pr_dev_key_not_a_secret" desc:"The key that the command-line tool shows. The default is the one of postrider dev."`
}

func (Target) about() (string, string) { return "Command-line tool", "" }
