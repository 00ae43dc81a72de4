package simulate

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

// place is where one process after the other runs.
type place struct {
	number   int
	name     string
	produces bool
	consumes bool
	lives    int
	restart  time.Time // when the next process starts, while proc is nil
	proc     *process
}

// process is one life of a program: the product's own parts, joined as the
// program joins them.
type process struct {
	w       *world
	place   *place
	name    string // of the place, and which life it is
	id      uuid.UUID
	store   Store
	dead    atomic.Bool
	leaving bool          // told to stop
	exited  atomic.Bool   // has done so
	away    time.Duration // until the next process starts in its place
	stop    func(grace time.Duration)
	accept  *accept.Service
	relay   *relay.Relay
	bell    bool // something became due through another process
	session int  // of its connection to the broker

	stalledUntil     time.Time
	partitionedUntil time.Time
	hindered         time.Time // when it was last kept from renewing its leases

}

func (p *process) stalled(now time.Time) bool { return p.stalledUntil.After(now) }
func (p *process) cutOff(now time.Time) bool  { return p.partitionedUntil.After(now) }

// settle makes the places and starts a process in each.
func (w *world) settle() {
	add := func(name string, produces, consumes bool) {
		p := &place{number: len(w.places), name: name, produces: produces, consumes: consumes}
		w.places = append(w.places, p)
		w.begin(p)
	}
	if w.profile.embedded {
		add("e", true, true)
		return
	}
	for n := range w.profile.producers {
		add(fmt.Sprintf("p%d", n+1), true, false)
	}
	for n := range w.profile.consumers {
		add(fmt.Sprintf("c%d", n+1), false, true)
	}
}

// revive starts what was to start again.
func (w *world) revive(now time.Time) {
	for _, p := range w.places {
		if p.proc != nil && p.proc.exited.Load() {
			w.trace.line(p.proc.name + " has stopped")
			p.restart = now.Add(p.proc.away)
			w.leave(p.proc)
		}
		if p.proc == nil && !w.closing && !p.restart.After(now) {
			w.begin(p)
			w.trace.line(p.proc.name + " starts")
		}
	}
}

func (w *world) begin(at *place) {
	at.lives++
	p := &process{w: w, place: at, name: fmt.Sprintf("%s.%d", at.name, at.lives), id: uuid.UUID{byte(at.number + 1), byte(at.lives)}}
	p.store = w.store.Open(at.number)
	at.proc = p
	conn := &connection{w: w, p: p, inner: w.cfg.Mutant.store(p.store, w)}
	queue := w.cfg.Mutant.queue(&link{w: w, p: p, role: "relay"})
	random := w.jitter(p)

	var parts []stopper
	if at.consumes {
		batched := worker.NewBatched(conn)
		lanes := map[message.Lane]int{message.LaneNormal: 2, message.LaneHigh: 1}
		wk := worker.New(worker.Config{
			ID: p.id, Channels: lanes, Lease: lease, Schedule: message.Schedule{Window: 45 * time.Second}, Random: random,
			Store: turnstile{batched, w, p}, DeadLetters: conn, Queue: queue, Sender: w.cfg.Mutant.sender(&sender{w: w, p: p}),
		})
		parts = append(parts, stopper{batched.Start, batched.Stop}, stopper{wk.Start, wk.Stop})
	}
	if at.produces {
		p.relay = relay.New(relay.Config{Store: conn, Queue: queue, Poll: 8 * time.Second, Random: random})
		s := sweep.New(sweep.Config{
			Store: conn, Queue: &link{w: w, p: p, role: "sweep"}, Lanes: []message.Lane{message.LaneNormal, message.LaneHigh},
			Wake: p.relay.Wake, Random: random,
		})
		p.accept = accept.New(conn, message.DefaultLimits(), p.relay.Wake, time.Now)
		parts = append(parts, stopper{p.relay.Start, p.relay.Stop}, stopper{s.Start, s.Stop}, stopper{p.accept.Start, p.accept.Stop})
	}
	p.run(conn, parts)
}

// stopper is a part of a program.
type stopper struct {
	start func()
	stop  func(context.Context) error
}

// run starts the parts in their order, and makes stop, which ends them in the
// other.
func (p *process) run(conn *connection, parts []stopper) {
	started := make(chan struct{})
	go func() {
		defer close(started)
		if p.place.produces && p.place.consumes && !p.repair(conn) {
			return
		}
		for _, part := range parts {
			part.start()
		}
	}()
	p.stop = func(grace time.Duration) {
		<-started
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		for i := range parts {
			_ = parts[len(parts)-1-i].stop(ctx) // who runs out of time is abandoned; what follows shows whether that did harm
		}
	}
}

// repair is what a program does first whose queue forgets on exit.
func (p *process) repair(conn *connection) bool {
	for !p.dead.Load() {
		if _, err := conn.RepairAll(context.Background(), true); err == nil {
			return true
		}
		time.Sleep(time.Second)
	}
	return false
}

// crash ends a process at once: its calls never return to it, its sessions are
// gone, and nothing it still does has an effect.
func (w *world) crash(p *process, f Fault) {
	if p.dead.Load() {
		return
	}
	w.fired(f)
	w.trace.line(p.name + " CRASHES")
	w.leave(p)
	p.place.restart = time.Now().Add(time.Duration(200+w.dice.IntN(8000)) * time.Millisecond)
}

// leave ends the life of a process, its stop or crash.
func (w *world) leave(p *process) {
	p.dead.Store(true)
	p.place.proc = nil
	w.truth.crashed(p)
	w.store.Crash(p.store)
	w.broker.gone(p)
	w.mu.Lock()
	var mine, others []*call
	for _, c := range w.parked {
		if c.proc == p {
			mine = append(mine, c)
		} else {
			others = append(others, c)
		}
	}
	w.parked = append(w.parked[:0], others...)
	w.mu.Unlock()
	for _, c := range mine {
		c.leave <- leave{end: crashed}
	}
	w.zombies.Go(func() { p.stop(0) })
}

// retire stops a process as an operator does.
func (w *world) retire(p *process) {
	w.fired(GracefulStop)
	p.leaving = true
	grace := time.Duration(w.dice.IntN(25_000_000)) * time.Microsecond // at no moment at which another timer fires
	w.trace.line(fmt.Sprintf("%s is told to stop within %v", p.name, grace))
	p.away = time.Duration(w.dice.IntN(5000)) * time.Millisecond
	w.zombies.Go(func() {
		p.stop(grace)
		p.exited.Store(true)
		w.arrive()
	})
}
