package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/postrider/postrider/internal/loop"
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
	Poll   time.Duration // between looks for what nobody rang for, or until the next row is due; 1 s
	Linger time.Duration // from one look that found little to the next; 2 ms, negative: none
	Random pause.Random  // for jitter; the shared source
}

// Relay runs one loop for each lane. Start it once; Stop may be called at any
// time and more than once.
type Relay struct {
	cfg   Config
	lanes map[message.Lane]*lane
	loops *loop.Group
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
	if cfg.Linger == 0 {
		cfg.Linger = 2 * time.Millisecond
	}
	r := &Relay{cfg: cfg, lanes: map[message.Lane]*lane{}, loops: loop.NewGroup()}
	for _, name := range message.Lanes() {
		r.lanes[name] = &lane{Relay: r, name: name, woken: make(chan struct{}, 1), window: newWindow(cfg.Window, cfg.Batch)}
	}
	return r
}

// Start begins to relay and returns at once.
func (r *Relay) Start() {
	var loops []func(context.Context)
	for _, l := range r.lanes {
		loops = append(loops, l.run)
	}
	r.loops.Start(append(loops, r.listen, r.poll)...)
}

// Stop ends the loops. A batch in hand is finished or rolled back; its rows are
// then another relay's. It returns when nothing runs any more or ctx ends.
func (r *Relay) Stop(ctx context.Context) error { return r.loops.Stop(ctx) }

// Wake says that a row of the lane became due. It never blocks. A lane that is
// not known, of another version, is nobody's.
func (r *Relay) Wake(lane message.Lane) {
	if l := r.lanes[lane]; l != nil {
		l.wake()
	}
}

// listen wakes the lanes of which others say that something became due.
func (r *Relay) listen(ctx context.Context) {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Random: r.cfg.Random}
	for ctx.Err() == nil {
		lanes, err := r.cfg.Store.Wait(ctx)
		if err != nil {
			_ = backoff.Wait(ctx) // its only error is the end of ctx, which ends the loop
			continue
		}
		backoff.Reset()
		r.wake(lanes)
	}
}

// poll finds what nobody rang for: scheduled mail, what a dead process left, and
// all whose ring was lost. It is what everything rests on. It comes again when the next
// row is due, so that scheduled mail is not late. When the look fails,
// nobody knows: then each lane looks for itself, and says what is wrong.
func (r *Relay) poll(ctx context.Context) {
	rest := r.cfg.Random.Jitter(r.cfg.Poll)
	for pause.For(ctx, rest) == nil {
		lanes, next, err := r.cfg.Store.Due(ctx)
		if err != nil {
			lanes = message.Lanes()
		}
		r.wake(lanes)
		if rest = r.cfg.Random.Jitter(r.cfg.Poll); next > 0 {
			rest = min(rest, max(next, r.cfg.Poll/soon))
		}
	}
}

func (r *Relay) wake(lanes []message.Lane) {
	for _, lane := range lanes {
		r.Wake(lane)
	}
}
