package tap_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/test/tap"
)

// broker is a channel in confirm mode through a proxy, and a queue of its own.
type broker struct {
	proxy *tap.Proxy
	conn  *amqp.Connection
	ch    *amqp.Channel
	queue string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{queue: "tap-" + uuid.NewString()[:13]}
	var raw string
	b.proxy, raw = through(t, "POSTRIDER_TEST_RABBITMQ_URL", tap.AMQP)
	b.dial(t, raw)
	if _, err := b.ch.QueueDeclare(b.queue, false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *broker) dial(t *testing.T, raw string) {
	t.Helper()
	var err error
	if b.conn, err = amqp.Dial(raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.conn.Close() })
	if b.ch, err = b.conn.Channel(); err != nil {
		t.Fatal(err)
	}
	if err := b.ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
}

func (b *broker) publish(t *testing.T, key, body string) *amqp.DeferredConfirmation {
	t.Helper()
	c, err := b.ch.PublishWithDeferredConfirm("", key, true, false, amqp.Publishing{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *broker) consume(t *testing.T) <-chan amqp.Delivery {
	t.Helper()
	copies, err := b.ch.Consume(b.queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return copies
}

func next(t *testing.T, copies <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, open := <-copies:
		if !open {
			t.Fatal("the consumer is gone")
		}
		return d
	case <-time.After(patience):
		t.Fatal("waited in vain for a copy")
		panic("unreachable")
	}
}

func event(t *testing.T, events <-chan tap.Event) tap.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("waited in vain for a step")
		panic("unreachable")
	}
}

func TestAMQPStepsAreNamedAndTold(t *testing.T) {
	b := newBroker(t)
	events := make(chan tap.Event, 10)
	for _, r := range []tap.Rule{
		{From: tap.Client, At: "basic.publish"}, {From: tap.Server, At: "basic.ack"}, {From: tap.Server, At: "basic.return"},
		{From: tap.Client, At: "basic.consume"}, {From: tap.Server, At: "basic.deliver"},
		{From: tap.Client, At: "basic.nack"}, {From: tap.Client, At: "basic.ack"}, {From: tap.Client, At: "channel.close"},
	} {
		r.Do = note(events)
		b.proxy.Arm(r)
	}
	want := func(from tap.Side, step, text string) {
		t.Helper()
		if e := event(t, events); e.From != from || e.Step != step || !strings.HasSuffix(e.Text, text) {
			t.Errorf("%v %s %q, want %v %s … %q", e.From, e.Step, e.Text, from, step, text)
		}
	}
	large := strings.Repeat("x", 300_000) // several frames
	for _, body := range []string{"one", "", large} {
		b.publish(t, b.queue, body).Wait()
		want(tap.Client, "basic.publish", b.queue+" "+body)
		want(tap.Server, "basic.ack", b.queue+" "+body)
	}
	b.publish(t, "nowhere", "lost").Wait()
	want(tap.Client, "basic.publish", "nowhere lost")
	want(tap.Server, "basic.return", "nowhere lost")
	want(tap.Server, "basic.ack", "nowhere lost")
	copies := b.consume(t)
	want(tap.Client, "basic.consume", b.queue)
	for _, body := range []string{"one", "", large} {
		want(tap.Server, "basic.deliver", b.queue+" "+body)
	}
	first, second, third := next(t, copies), next(t, copies), next(t, copies)
	_ = first.Nack(false, true)
	want(tap.Client, "basic.nack", "requeue "+b.queue+" one")
	again := next(t, copies)
	want(tap.Server, "basic.deliver", b.queue+" redelivered one")
	_, _ = second.Ack(false), third.Ack(false)
	want(tap.Client, "basic.ack", b.queue+" ")
	want(tap.Client, "basic.ack", b.queue+" "+large)
	_ = again.Ack(true)
	want(tap.Client, "basic.ack", "redelivered one")
	_ = b.ch.Close()
	want(tap.Client, "channel.close", "200 ")
}

func TestAConfirmIsHeldUntilReleased(t *testing.T) {
	b := newBroker(t)
	release := make(chan struct{})
	held := b.proxy.Arm(tap.Rule{From: tap.Server, At: "basic.ack", Match: "second", Times: 1, Wait: release})
	b.publish(t, b.queue, "first").Wait()
	second := b.publish(t, b.queue, "second")
	if err := held.Await(soon(t), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-second.Done():
		t.Error("confirmed while the confirm is held")
	default:
	}
	close(release)
	if ok, err := second.WaitContext(soon(t)); !ok || err != nil {
		t.Errorf("after the release: %v %v", ok, err)
	}
	if n := held.Fired(); n != 1 {
		t.Errorf("fired %d times", n)
	}
}

func TestADroppedStepNeverArrivesAndItsConnectionIsGone(t *testing.T) {
	b := newBroker(t)
	direct := newBroker(t)
	closed := b.conn.NotifyClose(make(chan *amqp.Error, 1))
	drop := b.proxy.Arm(tap.Rule{From: tap.Client, At: "basic.publish", Match: "dropped", End: tap.Drop})
	if _, err := direct.ch.QueueDeclare(b.queue+"-kept", false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	b.publish(t, b.queue+"-kept", "taken").Wait()
	b.publish(t, b.queue+"-kept", "dropped")
	select {
	case err := <-closed:
		t.Log(err)
	case <-soon(t).Done():
		t.Fatal("the connection is still there")
	}
	q, err := direct.ch.QueueDeclarePassive(b.queue+"-kept", false, true, false, false, nil)
	if err != nil || q.Messages != 1 || drop.Fired() != 1 {
		t.Errorf("%d messages, fired %d: %v", q.Messages, drop.Fired(), err)
	}
}

func TestASwallowedConfirmIsMissedAloneAndAMutedSideSaysNothingMore(t *testing.T) {
	b := newBroker(t)
	swallowed := b.proxy.Arm(tap.Rule{From: tap.Server, At: "basic.ack", Match: "second", End: tap.Swallow})
	muted := b.proxy.Arm(tap.Rule{From: tap.Server, At: "basic.ack", Match: "fourth", End: tap.Mute})
	confirmed := func(c *amqp.DeferredConfirmation) func() error {
		return func() error { _, err := c.WaitContext(soon(t)); return err }
	}
	fired := func(trigger *tap.Trigger) func() error {
		return func() error { return trigger.Await(soon(t), 1) }
	}
	var confirms []*amqp.DeferredConfirmation
	for _, body := range []string{"first", "second", "third", "fourth", "fifth"} {
		c := b.publish(t, b.queue, body)
		confirms = append(confirms, c)
		// One after the other: the broker would join their confirms.
		answered := confirmed(c)
		switch body {
		case "second":
			answered = fired(swallowed)
		case "fourth":
			answered = fired(muted)
		case "fifth":
			continue
		}
		if err := answered(); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if ok, _ := confirms[4].WaitContext(ctx); ok { // long enough to have been wrong
		t.Error("a muted side has spoken")
	}
	for i, want := range []bool{true, false, true, false, false} {
		select {
		case <-confirms[i].Done():
			if !want {
				t.Errorf("publishing %d was confirmed", i+1)
			}
		default:
			if want {
				t.Errorf("publishing %d was not confirmed", i+1)
			}
		}
	}
	b.proxy.Cut()
}

func TestDoRunsBeforeAndDoneAfterTheStepPassed(t *testing.T) {
	b := newBroker(t)
	direct := newBroker(t)
	depth := func() int {
		q, err := direct.ch.QueueDeclarePassive(b.queue+"-seen", false, true, false, false, nil)
		if err != nil {
			t.Error(err)
		}
		return q.Messages
	}
	if _, err := direct.ch.QueueDeclare(b.queue+"-seen", false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	before, after := make(chan int, 1), make(chan int, 1)
	all := b.proxy.Arm(tap.Rule{From: tap.Server, At: "basic.ack"})
	skipped := b.proxy.Arm(tap.Rule{
		From: tap.Server, At: "basic.ack", Skip: 1, Times: 1,
		Do: func(tap.Event) { before <- depth() }, Done: func(tap.Event) { after <- depth() },
	})
	for range 3 {
		b.publish(t, b.queue+"-seen", "x").Wait()
	}
	if n := <-before; n != 2 {
		t.Errorf("%d copies at the second confirm", n)
	}
	<-after
	if skipped.Fired() != 1 || all.Fired() != 3 {
		t.Errorf("acted %d times, counted %d", skipped.Fired(), all.Fired())
	}
}
