package rabbitmq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

// patience is how long a test waits for what has to happen. Reaching it is a failure.
const patience = 2 * time.Minute

// fromEnvironment returns where a test service is.
func fromEnvironment(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run 'make services', then '. .services/env'", name)
	}
	return value
}

// place is a virtual host of the test broker for one test.
type place struct {
	vhost      string
	url        string
	management *url.URL
}

func newPlace(t testing.TB) *place {
	t.Helper()
	management, err := url.Parse(fromEnvironment(t, "POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL"))
	if err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL cannot be read")
	}
	broker, err := url.Parse(fromEnvironment(t, "POSTRIDER_TEST_RABBITMQ_URL"))
	if err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_URL cannot be read")
	}
	p := &place{vhost: "test-" + uuid.NewString(), management: management}
	broker.Path = "/" + p.vhost
	p.url = broker.String()
	p.call(t, "PUT", "/api/vhosts/"+p.vhost, nil, nil)
	t.Cleanup(func() { p.call(t, "DELETE", "/api/vhosts/"+p.vhost, nil, nil) })
	return p
}

// call asks the management API. 404 to a DELETE is no error: it is gone.
func (p *place) call(t testing.TB, method, path string, body, into any) {
	t.Helper()
	status, answer, err := p.try(method, path, body)
	gone := method == "DELETE" && status == http.StatusNotFound
	if err != nil || (status >= 300 && !gone) {
		t.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

func (p *place) try(method, path string, body any) (status int, answer []byte, err error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	target := p.management.Scheme + "://" + p.management.Host + path
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	password, _ := p.management.User.Password()
	req.SetBasicAuth(p.management.User.Username(), password)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// open returns a started queue on the place, stopped when the test ends.
func (p *place) open(t testing.TB, change func(*rabbitmq.Config)) *rabbitmq.Queue {
	t.Helper()
	cfg := rabbitmq.Config{URLs: []string{p.url}, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&cfg)
	}
	q, err := rabbitmq.New(cfg)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	if err := q.Start(context.Background()); err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = q.Stop(ctx)
	})
	return q
}

// closeConnections has the broker close every connection to the place. They
// are listed some seconds late.
func (p *place) closeConnections(t testing.TB, expected int) {
	t.Helper()
	var listed []struct{ Name string }
	until(t, "the connections to be listed", func() bool {
		p.call(t, "GET", "/api/vhosts/"+p.vhost+"/connections", nil, &listed)
		return len(listed) == expected
	})
	for _, c := range listed {
		p.call(t, "DELETE", "/api/connections/"+url.PathEscape(c.Name), nil, nil)
	}
}

// direct runs on a connection of the test's own.
func (p *place) direct(t testing.TB, do func(*amqp.Channel) error) {
	t.Helper()
	conn, err := amqp.Dial(p.url)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil {
		err = do(ch)
	}
	if err != nil {
		t.Fatalf("on a channel of the test: %v", err)
	}
}

// deadLetters takes what is in the dead-letter queue.
func (p *place) deadLetters(t testing.TB) (letters []conformance.DeadLetter) {
	t.Helper()
	p.direct(t, func(ch *amqp.Channel) error {
		for {
			d, ok, err := ch.Get("postrider.dead", true)
			if err != nil || !ok {
				return err
			}
			letters = append(letters, deadLetter(d))
		}
	})
	return letters
}

func deadLetter(d amqp.Delivery) conformance.DeadLetter {
	letter := conformance.DeadLetter{Body: string(d.Body)}
	if deaths, _ := d.Headers["x-death"].([]any); len(deaths) > 0 {
		if death, _ := deaths[0].(amqp.Table); death != nil {
			letter.Queue, _ = death["queue"].(string)
			letter.Reason, _ = death["reason"].(string)
		}
	}
	return letter
}

func queueName(lane message.Lane) string { return "postrider.email." + string(lane) }

func (p *place) fixture(t *testing.T, kind rabbitmq.QueueType) conformance.QueueFixture {
	network, url := p.through(t)
	return conformance.QueueFixture{
		Open: func(t *testing.T) conformance.QueuePorts {
			return p.open(t, func(c *rabbitmq.Config) { c.URLs, c.QueueType = []string{url}, kind })
		},
		Cut:         func(*testing.T) { network.cut() },
		DeadLetters: func(t *testing.T) []conformance.DeadLetter { return p.deadLetters(t) },
		Inject: func(t *testing.T, lane message.Lane, body string) {
			p.direct(t, func(ch *amqp.Channel) error {
				return ch.Publish("", queueName(lane), true, false, amqp.Publishing{Body: []byte(body)})
			})
		},
		Delete: func(t *testing.T, lane message.Lane) {
			p.call(t, "DELETE", fmt.Sprintf("/api/queues/%s/%s", p.vhost, queueName(lane)), nil, nil)
		},
		Purge: func(t *testing.T, lane message.Lane) {
			p.direct(t, func(ch *amqp.Channel) error {
				_, err := ch.QueuePurge(queueName(lane), false)
				return err
			})
		},
	}
}

// until polls what the broker or a supervisor decides.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// refs returns n refs of different messages.
func refs(n int) []message.Ref {
	all := make([]message.Ref, n)
	for i := range all {
		all[i] = message.Ref{Key: message.Key{MessageID: uuid.Must(uuid.NewV7())}, Dispatch: 1}
	}
	return all
}

// connected waits until the links are up.
func connected(t testing.TB, q *rabbitmq.Queue) {
	t.Helper()
	until(t, "the links to be up", func() bool {
		s := q.State()
		return (!s.Publisher.Enabled || s.Publisher.Connected) && (!s.Consumer.Enabled || s.Consumer.Connected)
	})
}
