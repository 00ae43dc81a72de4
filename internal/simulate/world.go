package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

const (
	lease      = 20 * time.Second
	opLimit    = 20 * time.Second // the stores' own limit on one transaction
	quietLimit = 15 * time.Minute // virtual, from the last fault until all is over
	mostSteps  = 30_000
	hotSteps   = 3_000 // in one virtual second
)

// world is one simulation: programs, what they stand on, and who decides what
// happens next.
type world struct {
	cfg     Config
	dice    *rand.Rand // the scheduler's alone
	profile profile
	trace   trace

	mu      sync.Mutex
	parked  []*call // by key
	options []*call
	arrived chan struct{}

	store    Database
	rows     Rows
	places   []*place
	others   *process // callers: they are of no process that could crash
	broker   *broker
	host     relayHost
	database database
	letters  []*letter
	callers  int // at work
	zombies  sync.WaitGroup

	turbulent bool     // faults are allowed
	closing   bool     // nothing is started any more
	budget    int      // faults left
	focus     Fault    // that this seed is to meet at the first occasion, or soon after
	doomed    *process // crashes at the next step, by the fault
	doom      Fault

	disturbances []Fault
	steps        int
	until        time.Time // end of a phase, for nextEvent
	second       time.Time // for hot loops
	atSecond     int
	counts       Counts
	truth        truth
	violation    string
}

// database is what may be wrong with it.
type database struct {
	offset     time.Duration // of its clock
	latest     time.Time     // the highest time it ever showed
	life       int
	awayUntil  time.Time
	hangsUntil time.Time
}

// profile is what kind of day the seed draws.
type profile struct {
	embedded  bool
	budget    int
	calls     float64 // chance of a fault at a call on a delivery's way
	smtp      float64 // chance of a refusal at a verb
	world     float64 // chance of a fault at large, at each step
	pauses    int     // percent of the steps in which time passes though there is work
	late      int     // percent of the answers that are a step of their own
	steps     int     // before it gets quiet
	letters   int
	producers int
	consumers int
	marking   message.Marking
}

func drawProfile(d *rand.Rand, focus Fault) profile {
	pick := func(of ...float64) float64 { return of[d.IntN(len(of))] }
	p := profile{
		embedded: d.IntN(4) == 0, budget: d.IntN(12),
		calls: pick(0.01, 0.03, 0.08, 0.2), smtp: pick(0, 0, 0.03, 0.1), world: pick(0, 0.005, 0.02),
		pauses: int(pick(0, 2, 6)), late: int(pick(0, 25, 50)),
		steps: 100 + d.IntN(400), letters: 1 + d.IntN(3), producers: 1 + d.IntN(2), consumers: 1 + d.IntN(2),
	}
	if focus.ofSessions() {
		p.embedded = false
	}
	if p.embedded {
		p.producers, p.consumers = 1, 0
	}
	p.marking = message.MarkAlways
	if d.IntN(3) == 0 {
		p.marking = message.MarkHold
	}
	return p
}

// Run simulates one seed. It has to be called within a bubble of its own, and
// returns when nothing of the simulation runs any more.
func Run(cfg Config) Result {
	if cfg.CheckEvery == 0 {
		cfg.CheckEvery = 8
	}
	w := &world{
		cfg: cfg, dice: rand.New(rand.NewPCG(cfg.Seed, 0x706f7374)), arrived: make(chan struct{}, 1),
		trace: newTrace(cfg.Trace), disturbances: disturbances(), turbulent: true, database: database{latest: time.Now()},
	}
	w.focus = NoFault + 1 + Fault(cfg.Seed%uint64(Faults-1))
	w.profile = drawProfile(w.dice, w.focus)
	w.profile.marking = cmp.Or(cfg.Marking, w.profile.marking)
	w.budget = w.profile.budget
	start := time.Now()
	w.store = cfg.Database(w.clock, func() time.Duration { return time.Since(start) }, w.profile.marking)
	w.others = &process{w: w, name: "~"}
	w.broker = newBroker(w)
	w.truth.init(w)
	w.live()
	w.end()
	return w.result()
}

// live is the simulation proper: a stormy part and a quiet one.
func (w *world) live() {
	w.settle()
	w.write()
	w.drive(w.stormOver)
	w.calm()
	w.drive(w.quiet)
	if w.violation == "" {
		w.truth.judge()
	}
}

// stormOver ends the stormy part.
func (w *world) stormOver() bool { return w.steps >= w.profile.steps }

// calm takes every fault away.
func (w *world) calm() {
	w.turbulent = false
	w.database.offset, w.database.awayUntil, w.database.hangsUntil = 0, time.Time{}, time.Time{}
	w.broker.downUntil, w.broker.missingUntil = time.Time{}, time.Time{}
	w.host.downUntil = time.Time{}
	for _, p := range w.places {
		p.restart = time.Now()
		if p.proc != nil {
			p.proc.stalledUntil, p.proc.partitionedUntil = time.Time{}, time.Time{}
		}
	}
	w.mu.Lock()
	for _, c := range w.parked {
		c.after = time.Time{}
	}
	w.mu.Unlock()
	w.until = time.Now().Add(quietLimit)
	w.trace.line("--- no more faults ---")
}

// quiet reports whether nothing is left to do; looked at only while nothing can
// happen without time passing.
func (w *world) quiet() bool {
	if w.callers > 0 || w.broker.holds() || !w.truth.idle() {
		return w.late()
	}
	if w.look().OutboxRows > 0 {
		return w.late()
	}
	return true
}

// late breaks off a simulation that does not come to rest.
func (w *world) late() bool {
	if time.Now().Before(w.until) {
		return false
	}
	w.violate("no quiet end: %v after the last fault there is still %s", quietLimit, w.truth.unfinished())
	return true
}

// end stops every process and waits until nothing runs.
func (w *world) end() {
	w.closing, w.turbulent = true, false
	stopped := make(chan struct{})
	running := 0
	for _, p := range w.places {
		if p.proc != nil && !p.proc.dead.Load() {
			running++
			p.proc.leaving = true
			go func() { p.proc.stop(time.Minute); stopped <- struct{}{} }()
		}
	}
	w.until = time.Now().Add(quietLimit)
	broken := w.violation
	w.violation = ""
	w.drive(func() bool { return w.collect(stopped, &running) || w.late() })
	if broken != "" {
		w.violation = broken
	}
	w.bury()
	for running > 0 {
		<-stopped
		running--
	}
	w.zombies.Wait()
	w.cfg.Wait()
}

func (w *world) collect(stopped chan struct{}, running *int) bool {
	for *running > 0 {
		select {
		case <-stopped:
			*running--
		default:
			return false
		}
	}
	return w.callers == 0
}

// bury lets go of everything that is still parked.
func (w *world) bury() {
	for _, p := range w.places {
		if p.proc != nil {
			p.proc.dead.Store(true)
		}
	}
	w.others.dead.Store(true)
	w.mu.Lock()
	parked := append([]*call{}, w.parked...)
	w.parked = nil
	w.mu.Unlock()
	for _, c := range parked {
		c.leave <- leave{end: crashed}
	}
}

func (w *world) result() Result {
	r := Result{
		Seed: w.cfg.Seed, Marking: w.profile.marking, Hash: w.trace.hash, Steps: w.steps, Faults: w.counts, Messages: len(w.letters),
		Violation: w.violation, Trace: w.trace.lines,
	}
	for _, g := range w.truth.ghosts {
		r.Deliveries++
		r.Copies += g.copies
		r.Duplicates += max(0, g.copies-1)
		r.Excused += g.excuses
	}
	return r
}

// violate notes the first broken invariant; the simulation ends there.
func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.violation == "" {
		w.violation = fmt.Sprintf(format, args...)
		w.trace.line("VIOLATED: " + w.violation)
	}
}

// fired counts a fault.
func (w *world) fired(f Fault) {
	w.counts[f]++
	w.trace.fault(f)
}

// observe keeps the highest time of the database and looks for hot loops.
func (w *world) observe(now time.Time) {
	if t := w.clock(); t.After(w.database.latest) {
		w.database.latest = t
	}
	if second := now.Truncate(time.Second); !second.Equal(w.second) {
		w.second, w.atSecond = second, w.steps
	}
	switch {
	case w.steps-w.atSecond > hotSteps:
		w.violate("hot loop: more than %d steps in one second", hotSteps)
	case w.steps > mostSteps:
		w.violate("no end after %d steps", mostSteps)
	case w.steps%w.cfg.CheckEvery == 0:
		w.truth.custody()
	}
}

// clock is the database's time.
func (w *world) clock() time.Time { return time.Now().Add(w.database.offset) }

// look reads the rows of every message there is. What it returns is good until
// the next look.
func (w *world) look() *Rows {
	if err := w.store.Rows(w.truth.ids, &w.rows); err != nil {
		w.violate("the rows cannot be read: %v", err)
	}
	return &w.rows
}

// jitter is a source for one process. What it gives depends on the moment and on
// how many were drawn at it. No two draws are alike, since those who wait equally
// long would wake together, and their order be the runtime's.
func (w *world) jitter(p *process) func() float64 {
	var mu sync.Mutex
	var last time.Time
	var drawn uint64
	seed := w.cfg.Seed<<8 | uint64(p.place.number)
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); !now.Equal(last) {
			last, drawn = now, 0
		}
		drawn++
		return rand.New(rand.NewPCG(seed, uint64(last.UnixNano())+drawn)).Float64()
	}
}
