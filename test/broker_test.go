package test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

// queueOf is the name of the story's queue for a lane, as the documentation
// gives it.
func (s *stack) queueOf(lane message.Lane) string { return s.prefix + ".email." + string(lane) }

// channel opens a channel of the story's own.
func (s *stack) channel() *amqp.Channel {
	s.Helper()
	conn, err := amqp.Dial(s.env["POSTRIDER_RABBITMQ_URL"])
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		s.Fatal(err)
	}
	return ch
}

// publish puts a body onto a lane's queue as a stranger would.
func (s *stack) publish(ch *amqp.Channel, lane message.Lane, body string) {
	s.Helper()
	err := ch.PublishWithContext(s.Context(), "", s.queueOf(lane), true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stack) db() *sql.DB {
	s.Helper()
	db, err := sql.Open("pgx", s.database)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = db.Close() })
	return db
}

func TestACopyDeliveredTwiceSendsOnce(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	rule := smtptest.Rule{At: smtptest.Data, Times: 1, Wait: hold}
	s := newStack(t, distributed, setting{script: smtptest.Script{Rules: []smtptest.Rule{rule}}})
	ch := s.channel()
	id := s.post(mail("ann@example.com"))
	if err := s.relay.AwaitStep(t.Context(), smtptest.Rcpt, 1); err != nil {
		t.Fatal(err)
	}
	twin := fmt.Sprintf(`{"items":[[%q,0,1]]}`, id)
	answered := func() (n float64) {
		for _, base := range s.metrics {
			n += s.idleCopies(base)
		}
		return n
	}
	for range 20 { // while one worker is in the middle of sending it
		s.publish(ch, message.LaneNormal, twin)
	}
	s.eventually("all twins were answered", func() bool { return answered() >= 20 })
	close(hold)
	s.await(id, message.StatusSent)
	for range 20 { // and after it is done
		s.publish(ch, message.LaneNormal, twin)
	}
	s.eventually("all late twins were answered", func() bool { return answered() >= 40 })
	if n := s.relay.Stats().Steps[smtptest.Mail]; n != 1 {
		t.Errorf("%d mails were begun", n)
	}
}

// idleCopies is how many copies a process has answered that were no work any more. That a
// queue is empty does not say so: they may be in workers' hands.
func (s *stack) idleCopies(base string) float64 {
	s.Helper()
	return s.scrape(base)[`postrider_claims_total{state="nothing"}`]
}

func (s *stack) ready(ch *amqp.Channel, lane message.Lane) int {
	s.Helper()
	q, err := ch.QueueDeclarePassive(s.queueOf(lane), true, false, false, false, nil)
	if err != nil {
		s.Fatal(err)
	}
	return q.Messages
}

func TestABadQueueMessageIsDeadLetteredAndBlocksNobody(t *testing.T) {
	t.Parallel()
	s := newStack(t, distributed, setting{consumers: 1})
	ch := s.channel()
	bad := []string{
		"", "{", "null", "[]", `{"items":[]}`, `{"items":"x"}`, `{"items":[["not-an-id",0,1]]}`,
		`{"items":[["018f3c2e-7d1a-7c3b-9a51-1f2e3d4c5b6a",0,1]]}`, // no such message
		strings.Repeat("x", 200_000),
	}
	for _, body := range bad {
		s.publish(ch, message.LaneNormal, body)
	}
	s.await(s.post(mail("ann@example.com")), message.StatusSent)
	db := s.db()
	var reasons int
	s.eventually("every bad message is on record with its reason", func() bool {
		err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM dead_letters WHERE reason <> ''`).Scan(&reasons)
		return err == nil && reasons == len(bad)
	})
	s.eventually("and in the dead-letter queue", func() bool {
		q, err := ch.QueueDeclarePassive(s.prefix+".dead", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return q.Messages == len(bad)
	})
}

func TestADeletedQueueLosesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, distributed, setting{consumers: 1})
	s.workers[0].stop() // so that the mails wait at the broker
	var ids []string
	for range 50 {
		ids = append(ids, s.post(mail("ann@example.com")))
	}
	ch := s.channel()
	s.eventually("all copies are at the broker", func() bool { return s.ready(ch, message.LaneNormal) == len(ids) })
	if _, err := ch.QueueDelete(s.queueOf(message.LaneNormal), false, false, false); err != nil {
		t.Fatal(err)
	}
	s.startConsumer()
	for _, id := range ids {
		s.await(id, message.StatusSent)
	}
	if n := len(s.relay.Mails()); n != len(ids) {
		t.Errorf("%d mails for %d messages", n, len(ids))
	}
}

func TestAPurgedQueueLosesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, distributed, setting{consumers: 1})
	s.workers[0].stop()
	id := s.post(mail("ann@example.com"))
	ch := s.channel()
	s.eventually("the copy is at the broker", func() bool { return s.ready(ch, message.LaneNormal) == 1 })
	if _, err := ch.QueuePurge(s.queueOf(message.LaneNormal), false); err != nil {
		t.Fatal(err)
	}
	s.startConsumer()
	sentOnce(s, id)
}

// The relay holds its transaction while it publishes. A row lock on the
// delivery stops it exactly between the confirm and the commit; there it is
// killed.
func TestAProducerKilledBetweenPublishAndCommitSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := newStack(t, distributed, setting{consumers: 1})
	db := s.db()
	s.workers[0].stop()
	id := s.post(mail("ann@example.com").with("scheduled_at", time.Now().Add(time.Hour).Format(time.RFC3339)))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT 1 FROM deliveries WHERE message_id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE outbox SET due_at = 1 WHERE message_id = $1`, id); err != nil {
		t.Fatal(err)
	}
	ch := s.channel()
	s.eventually("the copy is published", func() bool { return s.ready(ch, message.LaneNormal) == 1 })
	s.producer.kill()
	// Its last statements and the commit travel together, and may have arrived already:
	// then the copy is the broker's and no twin is made. Here they have not.
	if _, err := tx.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.startProducer()
	s.eventually("a twin is published", func() bool { return s.ready(ch, message.LaneNormal) == 2 })
	s.startConsumer()
	sentOnce(s, id)
	s.eventually("the twin was answered", func() bool { return s.idleCopies(s.metrics[len(s.metrics)-1]) == 1 })
	if n := s.relay.Stats().Steps[smtptest.Mail]; n != 1 {
		t.Errorf("%d mails were begun", n)
	}
}

func TestCutConnectionsLoseNothingAndSendNothingTwice(t *testing.T) {
	t.Parallel()
	slow := smtptest.Rule{At: smtptest.Data, Delay: 300 * time.Millisecond}
	s := newStack(t, distributed, setting{script: smtptest.Script{Rules: []smtptest.Rule{slow}}})
	var ids []string
	for range 100 {
		ids = append(ids, s.post(mail("ann@example.com")))
	}
	for range 3 { // the broker learns of a new connection only after some seconds
		s.eventually("connections are cut", func() bool { return s.cutConnections() > 0 })
	}
	for _, id := range ids {
		s.await(id, message.StatusSent)
	}
	if n := len(s.relay.Mails()); n != len(ids) {
		t.Errorf("%d mails for %d messages, and no process died", n, len(ids))
	}
}

// cutConnections has the broker close the connections of this story's
// processes, and returns how many those were.
func (s *stack) cutConnections() int {
	s.Helper()
	base := service(s.TB, "POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL")
	cut := 0
	for _, p := range append([]*process{s.producer}, s.workers...) {
		for _, name := range connectionsOf(s.TB, base, p) {
			manage(s.TB, http.MethodDelete, base+"/api/connections/"+name)
			cut++
		}
	}
	return cut
}

// The whole broker is killed and started again, so this story has one of its own.
func TestARestartedBrokerLosesNothing(t *testing.T) {
	t.Parallel()
	private := privateServices(t, "broker")
	slow := smtptest.Rule{At: smtptest.Data, Delay: 200 * time.Millisecond}
	var s *stack
	t.Cleanup(func() { // once all processes have ended
		if s != nil {
			deleteQueues(t, private.Management, s.prefix)
		}
	})
	s = newStack(t, distributed, setting{
		script: smtptest.Script{Rules: []smtptest.Rule{slow}}, env: map[string]string{"POSTRIDER_RABBITMQ_URL": private.Broker},
	})
	var ids []string
	for range 60 {
		ids = append(ids, s.post(mail("ann@example.com")))
	}
	if err := private.Fault(t.Context(), "rabbitmq-restart"); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, s.post(mail("ann@example.com")))
	for _, id := range ids {
		s.await(id, message.StatusSent)
	}
	if n := len(s.relay.Mails()); n != len(ids) {
		t.Errorf("%d mails for %d messages, and no consumer died", n, len(ids))
	}
}

// privateServices are a set of this story's own, which it may harm.
func privateServices(t *testing.T, name string) *rig.Services {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	services, err := rig.Private(ctx, root, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = services.Close() }) // a lock, which ends with the process at the latest
	return services
}

// Without a broker the producer goes on accepting, and says that it is degraded
// and why; the mail goes out by itself once the broker is back.
func TestWithoutABrokerMailIsAcceptedAndWaits(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(service(t, "POSTRIDER_TEST_RABBITMQ_URL"))
	if err != nil {
		t.Fatal(err)
	}
	cable := newCable(t, u.Host)
	s := newStack(t, distributed, setting{
		consumers: 1, env: map[string]string{"POSTRIDER_RABBITMQ_URL": cable.through(t, u.String())},
	})
	cable.set(true)
	s.eventually("the producer is degraded and names the broker", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK &&
			strings.Contains(string(res.body), `"degraded"`) && strings.Contains(string(res.body), "rabbitmq")
	})
	id := s.post(mail("ann@example.com"))
	if e := s.get(id); e.Status != message.StatusQueued {
		t.Errorf("without a broker it is %s", e.Status)
	}
	cable.set(false)
	sentOnce(s, id)
}
