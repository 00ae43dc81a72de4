// Package conformance holds one suite per port. An adapter enrols in a few lines
// and declares the traits in which it differs. Only tests import it.
package conformance

import (
	"context"
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

// QueuePorts is everything the program asks of a queue.
type QueuePorts interface {
	relay.Queue
	worker.Queue
	sweep.Queue
	// Stop ends all consumers, waits for what they have in hand until ctx
	// ends, and may be called more than once.
	Stop(ctx context.Context) error
}

// QueueTraits are the ways in which queues differ. A trait that is claimed and
// does not hold is a failure.
type QueueTraits struct {
	// Capacity is how many copies a lane takes before Publish answers
	// message.ErrQueueFull; 0: no such limit.
	Capacity int
	// Shared: every instance that a fixture opens sees the same copies, and
	// copies outlive the instances. The fixture has DeadLetters, Inject, Delete
	// and Purge.
	Shared bool
	// Sessions: there is a connection that can break. The fixture has Cut.
	Sessions bool
}

// QueueFixture is a place of its own for one case.
type QueueFixture struct {
	// Open returns another instance on the same place. It is stopped when the
	// case ends.
	Open func(t *testing.T) QueuePorts
	// Cut breaks every connection there is now.
	Cut func(t *testing.T)
	// DeadLetters takes what was rejected so far off the dead-letter queue.
	DeadLetters func(t *testing.T) []DeadLetter
	// Inject queues a body as it is.
	Inject func(t *testing.T, lane message.Lane, body string)
	// Delete removes the lane's queue while everything runs.
	Delete func(t *testing.T, lane message.Lane)
	// Purge removes the copies that wait on the lane.
	Purge func(t *testing.T, lane message.Lane)
}

// DeadLetter is a rejected copy.
type DeadLetter struct {
	Queue  string // the lane's queue it was rejected from
	Reason string // "rejected", "delivery_limit"
	Body   string
}

// QueueEnrolment is a queue with its traits.
type QueueEnrolment struct {
	Traits QueueTraits
	New    func(t *testing.T) QueueFixture // called once per case
}

// queueCase is one promise.
type queueCase struct {
	name  string
	needs func(QueueTraits) bool // nil: every queue has to keep it
	check func(t *testing.T, b *queueBench)
}

// Queue checks every promise of the queue ports.
func Queue(t *testing.T, e QueueEnrolment) {
	cases := []queueCase{
		{name: "a published copy is consumed once", check: consumedOnce},
		{name: "a lane keeps its order", check: keepsOrder},
		{name: "a slow handler does not hoard", check: doesNotHoard},
		{name: "lanes do not wait for each other", check: lanesAreIndependent},
		{name: "an unknown lane is unroutable", check: unknownLane},
		{name: "nothing to publish is no error", check: publishNothing},
		{name: "ready counts what waits", check: readyCounts},
		{name: "requeue brings the copy back redelivered", check: requeueRedelivers},
		{name: "reject takes the copy away", check: rejectRemoves},
		{name: "a panic costs neither the copy nor the consumer", check: survivesPanic},
		{name: "no verdict costs neither the copy nor the consumer", check: survivesNoVerdict},
		{name: "a consumer that ends settles what is in hand and takes no more", check: endSettles},
		{name: "a consumer whose time is over takes nothing", check: endedTakesNothing},
		{name: "stop waits for the copy in hand", check: stopWaits},
		{name: "stop is bounded", check: stopIsBounded},
		{name: "a stopped queue is unavailable", check: stoppedIsUnavailable},
		{name: "1000 copies through 16 channels, each once", check: manyChannels},
		{name: "a full lane refuses, and takes again", needs: bounded, check: fullRefuses},
		{name: "copies outlive the process", needs: shared, check: outlivesProcess},
		{name: "two processes share the work", needs: shared, check: sharesWork},
		{name: "a rejected copy is in the dead-letter queue", needs: shared, check: deadLettered},
		{name: "only a body without readable items is unreadable", needs: shared, check: bodies},
		{name: "a deleted queue is made again", needs: shared, check: deletedQueue},
		{name: "a purged queue is empty and goes on", needs: shared, check: purgedQueue},
		{name: "consumers resume after a lost session", needs: sessions, check: resumes},
		{name: "a verdict of a lost session settles nothing", needs: sessions, check: staleVerdict},
		{name: "what was confirmed survives lost sessions", needs: sessions, check: confirmedSurvives},
	}
	for _, c := range cases {
		if c.needs != nil && !c.needs(e.Traits) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.check(t, newQueueBench(t, e)) })
	}
}

func bounded(q QueueTraits) bool  { return q.Capacity > 0 }
func shared(q QueueTraits) bool   { return q.Shared }
func sessions(q QueueTraits) bool { return q.Sessions }
