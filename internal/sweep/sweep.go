package sweep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/postrider/postrider/internal/loop"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	batch     = 128
	spread    = 3 * time.Second  // over which deliveries taken back become due: a lease of 20 s, a round and it stay below 30 s
	grace     = 10 * time.Second // after a database came back or its clock stepped
	clockStep = time.Second      // what counts as a step
	hung      = 5 * time.Second  // a database that takes as long for one answer was away
	lookApart = 5 * time.Second  // between two looks at an empty lane
	lookKept  = time.Minute
)

// Config is what a Sweep is built from.
type Config struct {
	Store    Store
	Queue    Queue
	Logger   *slog.Logger
	Interval time.Duration      // between rounds; 5 s by default
	Lanes    []message.Lane     // all by default
	Wake     func(message.Lane) // called when something went back to the outbox; may be nil
	Random   pause.Random       // for jitter; nil: the shared source
}

// Sweep repairs in rounds. Start it once; Stop may be called at any time and
// more than once.
type Sweep struct {
	cfg   Config
	log   *slog.Logger
	loops *loop.Group

	seen  sighting
	quiet time.Time // database time until which no lease is judged
	looks map[message.Lane][]time.Time
}

// sighting is the last look at the database's clock.
type sighting struct {
	clock message.Clock
	at    time.Time     // when it was asked for; monotonic
	took  time.Duration // until the answer
	ok    bool
}

// New returns a sweep that has not started.
func New(cfg Config) *Sweep {
	if cfg.Interval == 0 {
		cfg.Interval = 5 * time.Second
	}
	if cfg.Lanes == nil {
		cfg.Lanes = message.Lanes()
	}
	if cfg.Wake == nil {
		cfg.Wake = func(message.Lane) {}
	}
	s := &Sweep{cfg: cfg, log: cfg.Logger, looks: map[message.Lane][]time.Time{}, loops: loop.NewGroup()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Start begins to sweep and returns at once.
func (s *Sweep) Start() {
	s.loops.Start(func(ctx context.Context) {
		for s.cfg.Random.Jittered(ctx, s.cfg.Interval) == nil {
			s.Round(ctx)
		}
	})
}

// Stop ends the rounds; one in hand is finished or rolled back. It returns when
// nothing runs any more or ctx ends.
func (s *Sweep) Stop(ctx context.Context) error { return s.loops.Stop(ctx) }

// Round does everything once. It must not run beside itself; beside the rounds
// of other processes it may.
func (s *Sweep) Round(ctx context.Context) {
	asked := time.Now()
	clock, err := s.cfg.Store.Clock(ctx)
	if err != nil {
		s.seen.ok = false
		s.complain(ctx, "read the database's clock", err)
		return
	}
	s.judgeClock(clock, asked)
	if clock.Now.Before(s.quiet) {
		s.leases(ctx, clock.Now, 0) // only asks whether holders can renew
	} else {
		s.leases(ctx, clock.Now, batch)
	}
	if n, err := s.repeat(func() (int, error) { return s.cfg.Store.SweepExpired(ctx, batch) }); err != nil {
		s.complain(ctx, "expire", err)
	} else if n > 0 {
		s.log.Info("expired", "deliveries", n)
	}
	for _, lane := range s.cfg.Lanes {
		s.lost(ctx, lane, clock.Now)
	}
}

// judgeClock starts a time of grace when leases may have ended without their
// holders' fault: the database was away, or gave no answers for so long that it
// might as well have been, or its clock stepped. The holders renew within it.
// When a busy database answers late, nobody knows at which moment it read its
// clock: that much is no step.
func (s *Sweep) judgeClock(clock message.Clock, asked time.Time) {
	last := s.seen
	s.seen = sighting{clock: clock, at: asked, took: time.Since(asked), ok: true}
	drift := clock.Now.Sub(last.clock.Now) - asked.Sub(last.at)
	if last.ok && clock.Epoch == last.clock.Epoch && drift.Abs() < clockStep+last.took+s.seen.took && s.seen.took < hung {
		return
	}
	s.quiet = clock.Now.Add(grace)
	if last.at.IsZero() { // the first look: nothing is known about the time before it
		return
	}
	s.log.Warn("database was away or its clock stepped: leases are not judged for a while", "for", grace, "drift", drift,
		"remedy", "if the database was not away, let NTP slew its clock rather than set it")
}

// leases takes back what nobody holds any more. While it may not change a
// delivery, nobody may renew one either: that is like a database that is away.
func (s *Sweep) leases(ctx context.Context, asOf time.Time, limit int) {
	var all message.Swept
	_, err := s.repeat(func() (int, error) {
		swept, err := s.cfg.Store.SweepLeases(ctx, asOf, limit, spread)
		all.Requeued += swept.Requeued
		all.Unknown += swept.Unknown
		all.Poison += swept.Poison
		return swept.Total(), err
	})
	if err != nil {
		s.seen.ok = s.seen.ok && !errors.Is(err, message.ErrUnavailable)
		s.complain(ctx, "take back leases", err)
	}
	if all.Total() == 0 {
		return
	}
	s.log.Warn("leases ended: their workers died or stalled", "requeued", all.Requeued, "unknown", all.Unknown, "poison", all.Poison,
		"remedy", "look why a consumer ended or stood still; its mail is taken up again")
	for _, lane := range s.cfg.Lanes {
		s.cfg.Wake(lane)
	}
}

// lost publishes again what the lane's queue evidently lost.
func (s *Sweep) lost(ctx context.Context, lane message.Lane, now time.Time) {
	emptySince := s.look(ctx, lane, now)
	n, err := s.repeat(func() (int, error) { return s.cfg.Store.SweepLost(ctx, lane, emptySince, batch) })
	if err != nil {
		s.complain(ctx, "look for lost copies", err)
	}
	if n > 0 {
		s.log.Warn("the broker lost copies: publishing them again", "lane", lane, "deliveries", n,
			"remedy", "none for the mail; look who purged or deleted the queue, or whether the broker lost its disk")
		s.cfg.Wake(lane)
	}
}

// look asks whether the lane is empty now, and returns the newest earlier look,
// at least 5 s ago, at which it was empty too. Zero: no such evidence. The time
// was read before the broker was asked, so what was published before it was
// with the broker when it was asked.
func (s *Sweep) look(ctx context.Context, lane message.Lane, now time.Time) time.Time {
	ready, err := s.cfg.Queue.Ready(ctx, lane)
	if err != nil || ready > 0 {
		return time.Time{}
	}
	var since time.Time
	kept := []time.Time{now}
	for _, t := range s.looks[lane] {
		if age := now.Sub(t); age >= lookApart && age <= lookKept && t.After(since) {
			since = t
		}
		if age := now.Sub(t); age >= 0 && age < lookApart {
			kept = append(kept, t)
		}
	}
	if !since.IsZero() {
		kept = append(kept, since)
	}
	s.looks[lane] = kept
	return since
}

// repeat calls step until it moves less than a batch. Whatever waited for the
// database while a step hung, the holders' renewals waited too.
func (s *Sweep) repeat(step func() (int, error)) (total int, err error) {
	for {
		asked := time.Now()
		n, err := step()
		s.seen.ok = s.seen.ok && time.Since(asked) < hung
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}

func (s *Sweep) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.log.Warn("sweep: could not "+what+"; the next round tries again", "error", err,
			"remedy", "bring the database back, or mend what the error names; nothing needs a restart")
	}
}
