package rabbitmq_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

// The broker that tests run on may be as old as 3.10. That a 4.x broker will do
// is held by rules instead: each is something that its documents say was
// removed, is denied by default or has changed its meaning, and what we really
// write on the wire is looked at for it.

// rule is one of those. Its example is a method that breaks it.
type rule struct {
	since   string // of RabbitMQ
	source  string
	what    string
	broken  func(sent) bool
	example sent
}

const (
	notes      = "github.com/rabbitmq/rabbitmq-server release notes "
	deprecated = "rabbitmq.com/release-information/deprecated-features-list: "
)

func queueDeclared(fields map[string]any, arguments map[string]any) sent {
	all := map[string]any{"queue": "q", "durable": true, "arguments": arguments}
	for name, value := range fields {
		all[name] = value
	}
	return sent{"queue.declare", all}
}

// declares reports whether the method makes a queue, rather than asks for one.
func declares(m sent) bool { return m.method == "queue.declare" && !m.flag("passive") }

func hasArgument(method string, name string) func(sent) bool {
	return func(m sent) bool { return m.method == method && m.argument(name) != nil }
}

func queueRules() []rule {
	return []rule{
		{"4.3", notes + "4.3.0; " + deprecated + "transient_nonexcl_queues", "a queue that is neither durable nor exclusive is refused (541)",
			func(m sent) bool { return declares(m) && !m.flag("durable") && !m.flag("exclusive") },
			queueDeclared(map[string]any{"durable": false}, nil)},
		{"4.3", notes + "4.3.0", "x-queue-mode is refused, whatever its value: classic queues have one storage",
			hasArgument("queue.declare", "x-queue-mode"),
			queueDeclared(nil, map[string]any{"x-queue-mode": "lazy"})},
		{"4.3", notes + "4.3.0", "x-queue-version 1 is refused: that storage is gone",
			func(m sent) bool { v := m.argument("x-queue-version"); return declares(m) && v != nil && v != 2 },
			queueDeclared(nil, map[string]any{"x-queue-version": 1})},
		{"4.3", notes + "4.3.0; pull request 11565", "x-queue-master-locator is denied: x-queue-leader-locator took its place",
			hasArgument("queue.declare", "x-queue-master-locator"),
			queueDeclared(nil, map[string]any{"x-queue-master-locator": "random"})},
		{"4.0", notes + "4.0.1", "a quorum queue without a delivery limit of its own gets one of 20; with none at all, or -1, it differs between versions",
			func(m sent) bool {
				limit, _ := m.argument("x-delivery-limit").(int)
				return declares(m) && m.argument("x-queue-type") == "quorum" && m.argument("x-dead-letter-exchange") != nil && limit <= 0
			},
			queueDeclared(nil, map[string]any{"x-queue-type": "quorum", "x-dead-letter-exchange": "x", "x-delivery-limit": -1})},
		{"4.0", "rabbitmq.com/docs/queues, rabbitmq.com/docs/vhosts#default-queue-type", "a queue of no named type becomes what the virtual host says, which is no longer classic everywhere",
			func(m sent) bool { return declares(m) && m.argument("x-queue-type") == nil },
			queueDeclared(nil, nil)},
		{"3.10", "rabbitmq.com/docs/quorum-queues", "quorum queues do not know the overflow reject-publish-dlx",
			func(m sent) bool {
				return declares(m) && m.argument("x-queue-type") == "quorum" && m.argument("x-overflow") == "reject-publish-dlx"
			},
			queueDeclared(nil, map[string]any{"x-queue-type": "quorum", "x-overflow": "reject-publish-dlx"})},
		{"3.10", "rabbitmq.com/docs/quorum-queues#dead-lettering", "at-least-once dead-lettering without reject-publish falls back to at-most-once, with no word but a line in the log",
			func(m sent) bool {
				return declares(m) && m.argument("x-dead-letter-strategy") == "at-least-once" && m.argument("x-overflow") != "reject-publish"
			},
			queueDeclared(nil, map[string]any{"x-dead-letter-strategy": "at-least-once", "x-overflow": "drop-head"})},
		{"4.x", "rabbitmq.com/docs/queues#optional-arguments", "a queue argument that 4.x does not document",
			func(m sent) bool { return declares(m) && unknownArgument(m) },
			queueDeclared(nil, map[string]any{"x-max-in-memory-length": 10})},
	}
}

// unknownArgument reports whether the method has an argument beside those that
// the documents of 4.x list for every queue type we declare, less x-max-priority:
// a quorum queue refuses it before 4.3.
func unknownArgument(m sent) bool {
	known := []string{
		"x-queue-type", "x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-message-ttl",
		"x-max-length", "x-max-length-bytes", "x-expires", "x-single-active-consumer",
	}
	if m.argument("x-queue-type") == "quorum" {
		known = append(known, "x-delivery-limit", "x-dead-letter-strategy", "x-quorum-initial-group-size", "x-queue-leader-locator")
	}
	table, _ := m.fields["arguments"].(map[string]any)
	for name := range table {
		if !slices.Contains(known, name) {
			return true
		}
	}
	return false
}

func otherRules() []rule {
	return []rule{
		{"4.3", notes + "4.3.0; " + deprecated + "global_qos", "a prefetch for the whole channel is refused (540 on quorum queues in every version)",
			func(m sent) bool { return m.method == "basic.qos" && m.flag("global") },
			sent{"basic.qos", map[string]any{"prefetch-count": 1, "global": true}}},
		{"3.0", "rabbitmq.com/docs/specification", "a prefetch in bytes is not implemented (540)",
			func(m sent) bool { return m.method == "basic.qos" && m.number("prefetch-size") != 0 },
			sent{"basic.qos", map[string]any{"prefetch-size": 1}}},
		{"4.3", notes + "4.3.0 (Mnesia removed)", "an exchange of a type that plug-ins bring, such as x-delayed-message, which stood on Mnesia",
			func(m sent) bool {
				return m.method == "exchange.declare" && !slices.Contains([]string{"direct", "fanout", "topic", "headers"}, m.text("type"))
			},
			sent{"exchange.declare", map[string]any{"type": "x-delayed-message", "durable": true}}},
		{"4.0", "rabbitmq.com/docs/metadata-store (Khepri)", "an exchange that is not durable goes with its node and leaves bindings to nothing",
			func(m sent) bool {
				return m.method == "exchange.declare" && !m.flag("passive") && (!m.flag("durable") || m.flag("auto-delete"))
			},
			sent{"exchange.declare", map[string]any{"type": "direct", "durable": false}}},
		{"4.1", notes + "4.1.0", "a frame_max under 8192 is refused; 0 leaves the choice to the server",
			func(m sent) bool {
				return m.method == "connection.tune-ok" && m.number("frame-max") != 0 && m.number("frame-max") < 8192
			},
			sent{"connection.tune-ok", map[string]any{"frame-max": 4096}}},
		{"4.1", notes + "4.1.0", "before it has authenticated, a client's frame may have 4096 bytes (8192 from 4.1 on)",
			func(m sent) bool { return m.method == "connection.start-ok" && m.number("frame size") > 4096 },
			sent{"connection.start-ok", map[string]any{"frame size": 4097}}},
		{"4.0", notes + "4.0.1", "a body over 16 MiB is refused",
			func(m sent) bool { return m.method == "basic.publish" && m.number("body size") > 16<<20 },
			sent{"basic.publish", map[string]any{"body size": 16<<20 + 1}}},
		{"3.0", "rabbitmq.com/docs/specification", "the flag immediate is not implemented (540)",
			func(m sent) bool { return m.method == "basic.publish" && m.flag("immediate") },
			sent{"basic.publish", map[string]any{"immediate": true}}},
		{"4.0", notes + "4.0.1", "x-death of a publisher is not read any more",
			hasArgument("basic.publish", "x-death"),
			sent{"basic.publish", map[string]any{"arguments": map[string]any{"x-death": 1}}}},
		{"4.4", notes + "4.4.0", "headers x-amqp-1.0-… are not read any more",
			func(m sent) bool {
				headers, _ := m.fields["arguments"].(map[string]any)
				for name := range headers {
					if m.method == "basic.publish" && strings.HasPrefix(name, "x-amqp-1.0-") {
						return true
					}
				}
				return false
			},
			sent{"basic.publish", map[string]any{"arguments": map[string]any{"x-amqp-1.0-footer": ""}}}},
		{"4.0", notes + "4.0.1 (mirroring removed)", "x-cancel-on-ha-failover was about mirrored queues",
			hasArgument("basic.consume", "x-cancel-on-ha-failover"),
			sent{"basic.consume", map[string]any{"arguments": map[string]any{"x-cancel-on-ha-failover": true}}}},
		{"4.3", "rabbitmq.com/docs/4.3/nack", "basic.reject counts as a failed delivery from 4.3 on, basic.nack does not; before, both did",
			func(m sent) bool { return m.method == "basic.reject" },
			sent{"basic.reject", nil}},
		{"4.x", "rabbitmq.com/docs/specification", "a method beside those we know to work alike from 3.10 to 4.4: transactions, recover, access.request and the like",
			func(m sent) bool { return !slices.Contains(ordinary, m.method) && m.method != "basic.reject" },
			sent{"tx.select", nil}},
	}
}

// ordinary are the methods that every version serves alike.
var ordinary = []string{
	"connection.start-ok", "connection.tune-ok", "connection.open", "connection.close", "connection.close-ok",
	"channel.open", "channel.close", "channel.close-ok", "exchange.declare", "queue.declare", "queue.bind",
	"basic.qos", "basic.consume", "basic.cancel", "basic.cancel-ok", "basic.publish", "basic.ack", "basic.nack", "confirm.select",
}

func rulesOf4() []rule { return slices.Concat(queueRules(), otherRules()) }

func TestARuleOfRabbitMQ4RefusesItsExample(t *testing.T) {
	for _, r := range rulesOf4() {
		if !r.broken(r.example) {
			t.Errorf("%s: %+v passes", r.what, r.example)
		}
	}
}

// All that a queue can do is done through a proxy, and every method that goes to
// the broker is held against the rules.
func TestOurUseIsWrittenForRabbitMQ4(t *testing.T) {
	for _, kind := range []rabbitmq.QueueType{rabbitmq.Quorum, rabbitmq.Classic} {
		t.Run(string(kind), func(t *testing.T) {
			p := newPlace(t)
			network, through := p.through(t)
			network.listen()
			doEverything(t, p, kind, through)
			seen := map[string]int{}
			for _, written := range network.heard() {
				for _, m := range methodsOf(t, written) {
					seen[m.method]++
					for _, r := range rulesOf4() {
						if r.broken(m) {
							t.Errorf("%s %v: RabbitMQ %s: %s (%s)", m.method, m.fields, r.since, r.what, r.source)
						}
					}
				}
			}
			for _, method := range ordinary {
				if seen[method] == 0 && !strings.HasSuffix(method, "-ok") {
					t.Errorf("%s was never written, so nothing was learned about it: %v", method, seen)
				}
			}
			p.usesNothingDeprecated(t)
		})
	}
}

// doEverything publishes, counts, consumes with each verdict, meets a missing
// queue, and stops.
func doEverything(t *testing.T, p *place, kind rabbitmq.QueueType, through string) {
	t.Helper()
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs, c.QueueType = []string{through}, kind })
	connected(t, q)
	verdicts := []message.Verdict{message.VerdictRequeue, message.VerdictReject, message.VerdictAck}
	for range verdicts[1:] {
		publishes(t, q, lane)
	}
	if _, err := q.Ready(t.Context(), lane); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	handled := make(chan message.Verdict, len(verdicts))
	var consuming sync.WaitGroup
	consuming.Go(func() {
		n := 0
		_ = q.Consume(ctx, lane, func(message.Copy) message.Verdict {
			v := verdicts[n%len(verdicts)]
			n++
			handled <- v
			return v
		})
	})
	for range verdicts {
		<-handled
	}
	cancel()
	consuming.Wait()
	p.direct(t, func(ch *amqp.Channel) error {
		return ch.QueueUnbind(queueName(lane), "email."+string(lane), "postrider", nil)
	})
	publishes(t, q, lane) // returned at first, then bound again
	stopping, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := q.Stop(stopping); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// usesNothingDeprecated asks the broker itself, where it can be asked: from 3.13
// on it keeps a list.
func (p *place) usesNothingDeprecated(t *testing.T) {
	t.Helper()
	status, answer, err := p.try("GET", "/api/deprecated-features/used", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status == http.StatusNotFound {
		t.Log("this broker keeps no list of deprecated features in use")
		return
	}
	var used []struct{ Name string }
	if err := json.Unmarshal(answer, &used); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	for _, feature := range used {
		t.Errorf("the broker says that a deprecated feature is in use: %s", feature.Name)
	}
}

// A host name and a password as long as they may be still fit into the frame that
// a broker takes before it knows us.
func TestTheGreetingFitsIntoTheFirstFrame(t *testing.T) {
	p := newPlace(t)
	name := strings.Repeat("n", 200)
	p.user(t, name, strings.Repeat("p", 1000))
	p.permit(t, name, ".*")
	network, through := p.through(t)
	network.listen()
	u, err := url.Parse(through)
	if err != nil {
		t.Fatal("the URL cannot be read")
	}
	u.User = url.UserPassword(name, strings.Repeat("p", 1000))
	q := p.open(t, func(c *rabbitmq.Config) { c.URLs = []string{u.String()} })
	publishes(t, q, lane)
	for _, written := range network.heard() {
		for _, m := range methodsOf(t, written) {
			if m.method == "connection.start-ok" && m.number("frame size") > 4096 {
				t.Error(fmt.Sprint("the greeting has ", m.number("frame size"), " bytes"))
			}
		}
	}
}
