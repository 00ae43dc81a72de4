package relay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

// Config is what a Relay is built from. Zero fields take the defaults named.
type Config struct {
	Store  Store
	Queue  Queue
	Logger *slog.Logger
	Batch  int           // rows per transaction; 128
	Window int           // copies that may wait with the broker, by lane; 1,000
	Poll   time.Duration // between looks at an idle lane; 1 s
	Random pause.Random  // for jitter; the shared source
}

// Relay runs one loop for each lane. Start it once; Stop may be called at any
// time and more than once.
type Relay struct {
	cfg   Config
	lanes map[message.Lane]chan struct{}
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// New returns a relay that has not started.
func New(cfg Config) *Relay {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Batch == 0 {
		cfg.Batch = 128
	}
	if cfg.Window == 0 {
		cfg.Window = 1000
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	r := &Relay{cfg: cfg, lanes: map[message.Lane]chan struct{}{}}
	for _, lane := range message.Lanes() {
		r.lanes[lane] = make(chan struct{}, 1)
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Start begins to relay and returns at once.
func (r *Relay) Start() {
	for lane := range r.lanes {
		r.tasks.Go(func() { r.run(lane) })
	}
	r.tasks.Go(r.listen)
}

// Stop ends the loops. A batch in hand is finished or rolled back; its rows are
// then another relay's. It returns when nothing runs any more or ctx ends.
func (r *Relay) Stop(ctx context.Context) error {
	r.stop()
	idle := make(chan struct{})
	go func() { r.tasks.Wait(); close(idle) }()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wake says that a row of the lane became due. It never blocks.
func (r *Relay) Wake(lane message.Lane) {
	select {
	case r.lanes[lane] <- struct{}{}:
	default:
	}
}

// listen wakes all lanes when another process says that something became due.
func (r *Relay) listen() {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Random: r.cfg.Random}
	for r.ctx.Err() == nil {
		if r.cfg.Store.Wait(r.ctx) != nil {
			_ = backoff.Wait(r.ctx) // its only error is the end of ctx, which ends the loop
			continue
		}
		backoff.Reset()
		for lane := range r.lanes {
			r.Wake(lane)
		}
	}
}

// round is what one transaction came to.
type round struct {
	taken, confirmed, limit int
	err                     error
	refused                 error // why the first copy that was not confirmed was not
}

func (o round) full() bool    { return o.limit > 0 && o.taken == o.limit }
func (o round) trouble() bool { return o.err != nil || o.confirmed < o.taken }

// crowded: the queue has less room than Ready lets hope for. That is its window
// being full, not a fault.
func (o round) crowded() bool { return o.err == nil && errors.Is(o.refused, message.ErrQueueFull) }

// run relays one lane: at once while there is more, when woken, and otherwise
// by a poll that nothing depends on but lost wake-ups and scheduled mail.
func (r *Relay) run(lane message.Lane) {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second, Random: r.cfg.Random}
	var last round
	for r.ctx.Err() == nil {
		last = r.once(lane, last.full())
		switch {
		case last.limit == 0 || last.crowded(): // the broker's window is full
			_ = r.cfg.Random.Jittered(r.ctx, r.cfg.Poll/10)
			last = round{limit: r.cfg.Batch, taken: r.cfg.Batch, confirmed: r.cfg.Batch}
		case last.trouble():
			r.complain(lane, last)
			_ = backoff.Wait(r.ctx)
		case last.full():
			backoff.Reset()
		default:
			backoff.Reset()
			r.idle(lane)
		}
	}
}

// once relays one batch. It looks at the window only when there may be more
// than a batch waiting: an idle lane need not ask the broker anything.
func (r *Relay) once(lane message.Lane, backlog bool) round {
	o := round{limit: r.cfg.Batch}
	if backlog {
		ready, err := r.cfg.Queue.Ready(r.ctx, lane)
		if err != nil {
			o.err = err
			return o
		}
		if o.limit = min(o.limit, r.cfg.Window-ready); o.limit <= 0 {
			return round{}
		}
	}
	o.taken, o.confirmed, o.err = r.cfg.Store.Dispatch(r.ctx, lane, o.limit, func(ctx context.Context, refs []message.Ref) []error {
		errs := r.cfg.Queue.Publish(ctx, lane, refs)
		o.refused = cmp.Or(errs...)
		return errs
	})
	return o
}

func (r *Relay) idle(lane message.Lane) {
	timer := time.NewTimer(r.cfg.Random.Jitter(r.cfg.Poll))
	defer timer.Stop()
	select {
	case <-r.lanes[lane]:
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

func (r *Relay) complain(lane message.Lane, o round) {
	if errors.Is(o.err, context.Canceled) {
		return
	}
	r.cfg.Logger.Warn("not all was published; the rows stay and are tried again",
		"lane", lane, "taken", o.taken, "confirmed", o.confirmed, "error", cmp.Or(o.err, o.refused),
		"remedy", "/readyz names the part at fault and what to do; nothing needs a restart")
}
