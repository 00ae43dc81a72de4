package rabbitmq

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// QueueType is how the broker keeps the queues.
type QueueType string

// Quorum queues are replicated and count deliveries, so that a copy that kills
// its consumers ends in the dead-letter queue; they are the default. Classic
// queues suit a single small node.
const (
	Quorum  QueueType = "quorum"
	Classic QueueType = "classic"
)

// Role is what a link to the broker is for.
type Role string

// The roles. Each has a connection of its own.
const (
	Publisher Role = "publisher"
	Consumer  Role = "consumer"
)

// Config is what a Queue is made of. URLs is required.
type Config struct {
	// URLs are the nodes of one broker, as amqp://user:password@host:port/vhost
	// or amqps. They are tried in turn, one at each attempt to connect. A
	// heartbeat in an URL's query goes before Heartbeat.
	URLs []string
	// Prefix is the name of the exchange and the beginning of every queue's
	// name; "": postrider.
	Prefix string
	// QueueType of queues that do not exist yet; "": Quorum.
	QueueType QueueType
	// Roles this process has; empty: both.
	Roles []Role
	// Heartbeat is how long a silent connection may last; it is found dead
	// after 1.5 times this. From 1 s; 0: 10 s.
	Heartbeat time.Duration
	// Window is how many copies of a lane may be on their way without a
	// confirm, from 1 to 10,000; 0: 500.
	Window int
	// Parcel is the most deliveries that one copy carries while many wait, from 1
	// to 64; 0: 1. In the lanes critical and high it is always 1.
	Parcel int
	Logger *slog.Logger // nil: none
}

const (
	defaultPrefix    = "postrider"
	defaultHeartbeat = 10 * time.Second
	defaultWindow    = 500
	maxWindow        = 10_000
	maxParcel        = 64
)

// server is one node to connect to.
type server struct {
	url     string // with its password: never to be shown
	address string // host:port
	secrets []string
}

// clean is the error's text without the password.
func (s server) clean(err error) string {
	text := err.Error()
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	return text
}

func parseServers(urls []string) ([]server, error) {
	if len(urls) == 0 {
		return nil, errors.New("rabbitmq: no URL: one such as amqp://user:password@host:5672/ is needed")
	}
	servers := make([]server, len(urls))
	for i, u := range urls {
		uri, err := amqp.ParseURI(u)
		if err != nil { // not wrapped: it quotes the URL, and so the password
			return nil, fmt.Errorf("rabbitmq: URL %d of %d cannot be read: write amqp://user:password@host:5672/vhost, special characters as %%XX", i+1, len(urls))
		}
		servers[i] = server{url: u, address: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))}
		if uri.Password != "" {
			servers[i].secrets = []string{uri.Password, url.QueryEscape(uri.Password), url.PathEscape(uri.Password)}
		}
	}
	return servers, nil
}

// complete fills in defaults and refuses what cannot work.
func (c *Config) complete() error {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.QueueType == "" {
		c.QueueType = Quorum
	}
	if len(c.Roles) == 0 {
		c.Roles = []Role{Publisher, Consumer}
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Parcel == 0 {
		c.Parcel = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c.check()
}

func (c *Config) check() error {
	// Names are at most 255 bytes (AMQP 0-9-1 shortstr) and "amq." is reserved.
	name := regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)
	switch {
	case !name.MatchString(c.Prefix) || strings.HasPrefix(c.Prefix, "amq."):
		return fmt.Errorf("rabbitmq: prefix %q: use letters, digits, '.', '_' and '-', at most 200, and no leading \"amq.\"", c.Prefix)
	case c.QueueType != Quorum && c.QueueType != Classic:
		return fmt.Errorf("rabbitmq: queue type %q: use %q or %q", c.QueueType, Quorum, Classic)
	case c.Heartbeat < time.Second:
		return fmt.Errorf("rabbitmq: heartbeat %v: use at least 1s", c.Heartbeat)
	case c.Window < 1 || c.Window > maxWindow:
		return fmt.Errorf("rabbitmq: window %d: use 1 to %d", c.Window, maxWindow)
	case c.Parcel < 1 || c.Parcel > maxParcel:
		return fmt.Errorf("rabbitmq: parcel of %d: use 1 to %d", c.Parcel, maxParcel)
	}
	for _, r := range c.Roles {
		if r != Publisher && r != Consumer {
			return fmt.Errorf("rabbitmq: role %q: use %q or %q", r, Publisher, Consumer)
		}
	}
	return nil
}

// identity names this process in the broker's lists of connections and
// consumers.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	if len(host) > 64 {
		host = host[:64]
	}
	return host + "/" + strconv.Itoa(os.Getpid())
}
