package rabbitmq

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
)

const (
	// deliveryLimit is how often a quorum queue hands a copy out again before
	// it dead-letters it. Always explicit: the broker's default is none before
	// 4.0, and −1 drops the copy on 3.10.
	deliveryLimit = 20

	deadKey    = "dead"
	deadTTL    = 7 * 24 * 60 * 60 * 1000 // ms
	deadLength = 100_000                 // copies
)

// topology is what has to exist at the broker. Every process declares it, so
// its arguments are few and stay as they are: a queue cannot be declared again
// with others. What may have to be tuned belongs into a policy.
type topology struct {
	prefix string
	kind   QueueType
}

func newTopology(prefix string, kind QueueType) topology { return topology{prefix, kind} }

func (t topology) exchange() string { return t.prefix }

func (t topology) dead() string { return t.prefix + ".dead" }

// key is the lane's routing key; the channel comes first, because others than
// email will follow.
func (t topology) key(lane message.Lane) string {
	return string(message.ChannelEmail) + "." + string(lane)
}

func (t topology) queue(lane message.Lane) string { return t.prefix + "." + t.key(lane) }

// laneArguments refuse publishes to a full queue rather than drop its oldest
// copy, and keep a dead letter until the dead-letter queue has it.
func (t topology) laneArguments() amqp.Table {
	args := amqp.Table{
		amqp.QueueTypeArg:           string(t.kind),
		amqp.QueueOverflowArg:       amqp.QueueOverflowRejectPublish,
		"x-dead-letter-exchange":    t.exchange(),
		"x-dead-letter-routing-key": deadKey,
	}
	if t.kind == Quorum {
		args["x-delivery-limit"] = deliveryLimit
		args["x-dead-letter-strategy"] = "at-least-once"
	}
	return args
}

// deadArguments bound the dead-letter queue by dropping its oldest: were it to
// refuse, dead letters would stay in their lane's queue until that refuses too.
// It is of the lanes' type: a classic one on a node that is down would not take
// them either.
func (t topology) deadArguments() amqp.Table {
	return amqp.Table{
		amqp.QueueTypeArg:       string(t.kind),
		amqp.QueueOverflowArg:   amqp.QueueOverflowDropHead,
		amqp.QueueMessageTTLArg: deadTTL,
		amqp.QueueMaxLenArg:     deadLength,
	}
}

// declare makes what is missing. Each thing has a channel of its own, because
// a refusal closes the channel. What is refused is reported by name and does
// not keep the rest from being made; the error means that the session is lost.
func (t topology) declare(s *session) (faults map[string]*TopologyError, err error) {
	faults = map[string]*TopologyError{}
	attempt := func(kind, name string, declare func(*amqp.Channel) error) error {
		err := s.onChannel(declare)
		if refusal := refused(kind, name, err); refusal != nil {
			faults[name], err = refusal, nil
		}
		return err
	}
	err = attempt("exchange", t.exchange(), func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(t.exchange(), amqp.ExchangeDirect, true, false, false, false, nil)
	})
	queue := func(name, key string, args amqp.Table) error {
		return attempt("queue", name, func(ch *amqp.Channel) error {
			if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
				return err
			}
			return ch.QueueBind(name, key, t.exchange(), false, nil)
		})
	}
	if err == nil {
		err = queue(t.dead(), deadKey, t.deadArguments()) // first: lanes dead-letter to it
	}
	for _, lane := range message.Lanes() {
		if err == nil {
			err = queue(t.queue(lane), t.key(lane), t.laneArguments())
		}
	}
	return faults, err
}

// TopologyError is a queue or an exchange that cannot be used as it is. Mail
// waits in the database until somebody follows the remedy; then all goes on
// without a restart.
type TopologyError struct {
	Kind   string // queue, exchange
	Name   string
	Reason string // the broker's words: for a queue of other make, which argument differs and how
	Remedy string
	Err    error // what the client library returned
}

// Error implements error.
func (e *TopologyError) Error() string {
	return fmt.Sprintf("rabbitmq: %s %q cannot be used: %s; remedy: %s", e.Kind, e.Name, e.Reason, e.Remedy)
}

// Unwrap returns the cause.
func (e *TopologyError) Unwrap() error { return e.Err }

// refused turns the broker's refusal of a declaration into a TopologyError. It
// is nil for every other error: those end the session, and the next one tries
// again.
func refused(kind, name string, err error) *TopologyError {
	var e *amqp.Error
	if !errors.As(err, &e) || !e.Server || !e.Recover {
		return nil
	}
	refusal := &TopologyError{Kind: kind, Name: name, Reason: e.Reason, Err: err}
	switch e.Code {
	case amqp.PreconditionFailed:
		refusal.Remedy = fmt.Sprintf("a %s of this name exists with other properties: delete it (what it holds is published again from the database), or configure the prefix and queue type it was made with", kind)
	case amqp.AccessRefused:
		refusal.Remedy = "give the user configure, write and read permission on names that begin with the prefix"
	default:
		refusal.Remedy = "delete it, or configure another prefix"
	}
	return refusal
}
