package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// Config is what a Worker is built from. All fields but Logger and Random are
// required.
type Config struct {
	ID       uuid.UUID            // of this process, written into claims and attempts
	Channels map[message.Lane]int // channels with prefetch 1, by lane
	Lease    time.Duration        // the store's; renewed every quarter of it
	Schedule message.Schedule
	Logger   *slog.Logger
	Random   pause.Random // for jitter; nil: the shared source

	Store       Store
	DeadLetters DeadLetters
	Queue       Queue
	Sender      Sender
}

// stopMargin is what a worker may take past its grace to write down what it
// broke off.
const stopMargin = 5 * time.Second

// parcelPatience is how long the deliveries of a copy wait for those before them:
// less than the sweep takes to believe that a copy is lost, and several times what a
// parcel needs when the relay host is quick.
const parcelPatience = 5 * time.Second

var (
	errStopping  = errors.New("the worker is stopping")
	errClaimLost = errors.New("the claim went to another worker")
)

// Worker runs one consumer per configured channel. Start it once; Stop may be
// called at any time and more than once.
type Worker struct {
	cfg       Config
	log       *slog.Logger
	gate      *gate
	held      *holdings
	consumers sync.WaitGroup
	helpers   sync.WaitGroup // the renewals and the probe; they outlive the consumers

	draining  context.Context // ended by Stop: take no more
	drain     context.CancelFunc
	working   context.Context // ended when the grace is over: break off
	breakOff  context.CancelCauseFunc
	recording context.Context // ended stopMargin after working: give up
}

// New returns a worker that has not started.
func New(cfg Config) *Worker {
	w := &Worker{cfg: cfg, log: cfg.Logger}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.working, w.breakOff = context.WithCancelCause(context.Background())
	w.draining, w.drain = context.WithCancel(w.working)
	w.recording = endsAfter(w.working, stopMargin)
	w.gate = newGate(cfg.Sender.Probe, w.log)
	w.gate.random = cfg.Random
	w.held = newHoldings()
	return w
}

// endsAfter returns a context that ends the given time after parent does.
func endsAfter(parent context.Context, margin time.Duration) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	context.AfterFunc(parent, func() { time.AfterFunc(margin, cancel) })
	return ctx
}

// Start begins to consume and returns at once.
func (w *Worker) Start() {
	w.helpers.Go(func() { w.gate.run(w.draining) })
	w.helpers.Go(func() { w.renewLoop(w.working) })
	for lane, channels := range w.cfg.Channels {
		for range channels {
			w.consumers.Go(func() { w.consume(lane) })
		}
	}
}

// Drain takes no more copies and returns at once; Stop goes on from there.
func (w *Worker) Drain() { w.drain() }

// Stop takes no more copies, lets the sends in hand finish until ctx ends, then
// breaks them off: what was not marked is released, what was is recorded as
// unknown. It returns when nothing runs any more, at most 5 s after ctx, with
// an error if something had to be abandoned.
func (w *Worker) Stop(ctx context.Context) error {
	w.drain()
	idle := make(chan struct{})
	go func() {
		w.consumers.Wait()
		w.breakOff(errStopping)
		w.helpers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		w.breakOff(errStopping)
	}
	select {
	case <-idle:
		return nil
	case <-time.After(stopMargin + time.Second):
		return fmt.Errorf("worker: %d sends abandoned at stop; their leases end by themselves", w.held.len())
	}
}

// RelayHost is nil while the relay host takes mail, else why it does not.
func (w *Worker) RelayHost() error { return w.gate.reason() }

// consume keeps one channel on the lane while the relay host takes mail.
func (w *Worker) consume(lane message.Lane) {
	for {
		open, leave, err := w.gate.wait(w.draining)
		if err != nil {
			return
		}
		err = w.cfg.Queue.Consume(open, lane, w.handle)
		leave()
		if err == nil {
			continue
		}
		w.log.Error("queue cannot be consumed", "lane", lane, "error", err,
			"remedy", "what the error says of the queue; it is tried again every 10 s")
		if w.cfg.Random.Jittered(w.draining, 10*time.Second) != nil {
			return
		}
	}
}

// handle answers for one copy. Several deliveries in one copy, a parcel, are
// claimed, sent and recorded one after the other: a worker that dies has one of them
// in hand, as with any copy, and the rest is queued for who gets the copy next. A
// recorded retry decides for a requeue; a failure never dead-letters the others.
func (w *Worker) handle(c message.Copy) message.Verdict {
	if len(c.Refs) == 0 {
		return w.bury(c, c.Unreadable)
	}
	verdict, began := message.VerdictAck, time.Now()
	for i, ref := range c.Refs {
		if i > 0 && (w.draining.Err() != nil || time.Since(began) > parcelPatience) {
			return message.VerdictRequeue // what is done is stale then, another goes on with the rest
		}
		switch v := w.deliver(c, ref); {
		case len(c.Refs) == 1:
			return v
		case v == message.VerdictRequeue:
			verdict = v
		}
	}
	return verdict
}

// bury keeps the copy for people to look at and sends it to the dead-letter
// queue. Without a database the broker keeps it a little longer.
func (w *Worker) bury(c message.Copy, reason string) message.Verdict {
	letter := message.DeadLetter{Queue: c.Queue, Reason: reason, Body: c.Body}
	err := w.persist(w.draining, "bury a dead letter", func(ctx context.Context) error {
		return w.cfg.DeadLetters.Bury(ctx, []message.DeadLetter{letter})
	})
	if err != nil && w.draining.Err() != nil {
		return message.VerdictRequeue
	}
	w.log.Warn("copy dead-lettered", "queue", c.Queue, "reason", reason, "error", err,
		"remedy", "see the table dead_letters, and look who else publishes there")
	return message.VerdictReject
}

// persist repeats call, with growing pauses, for as long as the database is
// away or until ctx ends.
func (w *Worker) persist(ctx context.Context, what string, call func(context.Context) error) error {
	backoff := pause.Backoff{First: 50 * time.Millisecond, Most: 2 * time.Second, Random: w.cfg.Random}
	for {
		err := call(ctx)
		if !errors.Is(err, message.ErrUnavailable) {
			return err
		}
		w.log.Warn("database away: holding on", "to", what, "error", err,
			"remedy", "bring the database back; nothing is lost, and nothing needs a restart")
		if backoff.Wait(ctx) != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
