package intake

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/loop"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	batch = 128 // emails in one transaction
	// forgetEvery is how often expired keys are looked for. A look deletes 25,000 at most:
	// seldom ones would fall behind callers who bring more keys than that.
	forgetEvery = 5 * time.Second
)

// Config is what an Intake is built from. Zero fields take the defaults named.
type Config struct {
	Store  Store
	Read   Read
	Wake   func(message.Lane) // called after the commit for each lane with mail to deliver; must not block
	Logger *slog.Logger
	Poll   time.Duration // between looks for what nobody rang for; 1 s
	Random pause.Random  // for jitter; nil: the shared source
}

// Intake takes in until it is stopped. Start it once; Stop may be called at any time
// and more than once.
type Intake struct {
	cfg   Config
	woken chan struct{}
	past  uuid.UUID // where the last round ended; zero: where nothing waits any more
	seen  uuid.UUID // the last that the round, or a glance after it, looked at
	loops *loop.Group
}

// New returns an intake that has not started.
func New(cfg Config) *Intake {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	if cfg.Wake == nil {
		cfg.Wake = func(message.Lane) {}
	}
	return &Intake{cfg: cfg, woken: make(chan struct{}, 1), loops: loop.NewGroup()}
}

// Start begins to take in and returns at once.
func (in *Intake) Start() { in.loops.Start(in.run, in.listen, in.forget) }

// Stop ends the loops. What is in hand is committed or rolled back; it is then
// another's. It returns when nothing runs any more or ctx ends.
func (in *Intake) Stop(ctx context.Context) error { return in.loops.Stop(ctx) }

// run looks when it is woken, and from time to time in case nobody rang: that is what
// everything rests on.
func (in *Intake) run(ctx context.Context) {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Random: in.cfg.Random}
	for ctx.Err() == nil {
		taken, err := in.round(ctx)
		if taken > 0 {
			backoff.Reset()
		}
		if err != nil {
			in.complain(ctx, "take in some enqueued mail", err)
			in.pause(ctx, backoff.Step())
			continue
		}
		backoff.Reset()
		select {
		case <-in.woken:
		case <-time.After(in.cfg.Random.Jitter(in.cfg.Poll)):
		case <-ctx.Done():
		}
	}
}

// pause is before those that stay are asked about again. What is rung for meanwhile does
// not wait for its end.
func (in *Intake) pause(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		select {
		case <-in.woken:
			in.glance(ctx)
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tell wakes each lane once, and notes what was refused: its caller was given an id
// and no error.
func (in *Intake) tell(taken []message.TakenIn) {
	woken := map[message.Lane]bool{}
	for _, t := range taken {
		switch {
		case t.Refused != nil:
			in.cfg.Logger.Warn("refused an enqueued email", "message", t.ID, "tenant", t.TenantID, "code", t.Refused.Code,
				"remedy", "its message has failed as invalid and says what is wrong: GET /v1/emails/"+t.ID.String())
		case !woken[t.Lane]:
			woken[t.Lane] = true
			in.cfg.Wake(t.Lane)
		}
	}
}

// listen wakes the loop when callers commit.
func (in *Intake) listen(ctx context.Context) {
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Random: in.cfg.Random}
	for ctx.Err() == nil {
		if err := in.cfg.Store.AwaitEnqueued(ctx); err != nil {
			_ = backoff.Wait(ctx) // its only error is the end of ctx, which ends the loop
			continue
		}
		backoff.Reset()
		select {
		case in.woken <- struct{}{}:
		default: // it will look anyway
		}
	}
}

func (in *Intake) forget(ctx context.Context) {
	for in.cfg.Random.Jittered(ctx, forgetEvery) == nil {
		if err := in.cfg.Store.ForgetEnqueueKeys(ctx); err != nil {
			in.complain(ctx, "forget idempotency keys of enqueued mail", err)
		}
	}
}

func (in *Intake) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		in.cfg.Logger.Warn("intake: could not "+what+"; it is tried again", "error", err,
			"remedy", "bring the database back, or mend what the error names; what was enqueued is safe there")
	}
}
