package memory_test

import (
	"context"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/memory"
	"github.com/postrider/postrider/internal/message"
)

// The two stores are led through the same random calls at the same times, and
// must answer alike and hold the same rows after each of them.
//
// A SQL store reads its clock a little after it was asked, on a busy machine some
// seconds. So that this never decides anything, every call begins a grid later
// than the last, or, once in a round, half a grid before it; no duration used here
// is a multiple of half a grid, and times count as equal that lie nearer together
// than any two times of the test.
const (
	grid  = 5 * time.Minute
	part  = grid / 3
	lease = 2*grid + 2*part
	skew  = grid / 12 // of what all times of the test are whole multiples, half
)

const (
	besideSteps    = 50
	sqliteRounds   = 80
	postgresRounds = 15
)

func TestBesideSQLite(t *testing.T) { t.Parallel(); beside(t, openSQLite(t), sqliteRounds) }

func TestBesidePostgres(t *testing.T) { t.Parallel(); beside(t, openPostgres(t), postgresRounds) }

func beside(t *testing.T, tables *tables, most int) {
	rounds, failed, steps := 0, false, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > most && !failed {
			return
		}
		passed := false
		defer func() { failed = failed || !passed }() // then it is repeated to find the shortest way there
		p := newPair(t, rt, tables)
		defer p.leave() // also where the two differ: a file has one process, and the repetition is to say how
		for range rapid.IntRange(besideSteps/2, besideSteps).Draw(rt, "steps") {
			steps[p.step()]++
		}
		passed = true
	})
	t.Log(steps)
	for _, kind := range kinds() {
		if steps[kind.name] == 0 && most >= sqliteRounds && !t.Failed() { // in few rounds a rare kind may not come
			t.Errorf("%s: never tried", kind.name)
		}
	}
}

// pair is the two databases, and what callers and workers know of them.
type pair struct {
	*rapid.T
	test      *testing.T
	clock     *conformance.Clock
	marking   message.Marking
	db        *memory.Database
	tables    *tables
	began     time.Time
	processes []*process
	wentBack  int // when the clock was set back in this round, in calls ago; 0: it was not

	posted []message.Submission
	copies []message.Ref
	held   []message.Held

	seen, there memory.Snapshot // the rows, and those of the tables
}

// process has a store of each kind.
type process struct {
	message.Process
	memory *memory.Store
	sql    conformance.StorePorts
}

func newPair(t *testing.T, rt *rapid.T, tables *tables) *pair {
	tables.empty(t)
	clock := conformance.NewClock()
	marking := rapid.SampledFrom([]message.Marking{message.MarkAlways, message.MarkHold}).Draw(rt, "marking")
	db := memory.New(memory.Config{Now: clock.Now, Lease: lease, Marking: marking})
	p := &pair{T: rt, test: t, clock: clock, began: clock.Now(), marking: marking, db: db, tables: tables}
	for range tables.processes {
		p.processes = append(p.processes, p.start())
	}
	return p
}

func (p *pair) start() *process {
	who := message.Process{ID: uuid.New(), Program: "postrider", Host: "test", PID: 1, Version: "test", State: "running"}
	return &process{Process: who, memory: p.db.Open(who), sql: p.tables.open(p.test, who, p.marking, p.clock)}
}

func (p *pair) leave() {
	for _, who := range p.processes {
		p.end(who)
	}
}

func (p *pair) end(who *process) {
	if err := who.sql.Close(); err != nil {
		p.Fatal(err)
	}
	who.memory.Crash()
}

// call is one call of a port, whose answer is made comparable.
type call struct {
	name string
	run  func(ctx context.Context, s conformance.StorePorts) any
}

func (p *pair) step() string {
	kind := kind{name: "accept", draw: (*pair).accept} // without a message there is nothing else to do
	if len(p.posted) > 0 {
		kind = one(p, weighted(p.kinds()), "kind")
	}
	at := p.pick(len(p.processes), "process")
	who := p.processes[at]
	c := kind.draw(p)
	got := c.run(p.test.Context(), who.memory)
	want := c.run(p.test.Context(), who.sql)
	p.Logf("%s: %+v", c.name, got)
	p.same("answer to "+c.name, got, want)
	p.learn(got)
	p.compareRows(c.name)
	if kind.restarts {
		p.end(who)
		p.processes[at] = p.start()
	}
	p.pass()
	return kind.name
}

// kinds are those to draw from: what a clock that went back may mislead comes
// first after it.
func (p *pair) kinds() []kind {
	if p.wentBack == 0 || p.wentBack > 4 {
		return kinds()
	}
	return slices.DeleteFunc(kinds(), func(k kind) bool { return !k.judges })
}

// pass lets time go by.
func (p *pair) pass() {
	wait := grid
	if p.wentBack > 0 {
		p.wentBack++
	}
	switch p.pick(12, "time") {
	case 0:
		wait = 2 * grid
	case 1:
		wait = 5 * grid
	case 2:
		if p.wentBack == 0 {
			p.wentBack, wait = 1, -one(p, []time.Duration{0, 25 * time.Hour}, "back")-grid/2
		}
	case 3:
		if p.pick(8, "a day") == 0 {
			wait = 25 * time.Hour
		}
	}
	p.clock.Advance(wait)
}

// learn keeps what later calls may be about.
func (p *pair) learn(answer any) {
	switch a := answer.(type) {
	case []message.Claim:
		for _, c := range a {
			if c.Work != nil {
				p.held = append(p.held, c.Work.Held)
			}
		}
	case dispatched:
		p.copies = append(p.copies, a.Refs...)
		p.learn(a.Meanwhile)
	}
}

func (p *pair) same(what string, memory, sql any) {
	p.Helper()
	diff := gocmp.Diff(sql, memory, cmpopts.EquateApproxTime(skew), cmpopts.EquateEmpty(), nearDurations(), anyOrder())
	if diff != "" {
		p.Fatalf("%s differs (-SQL +memory):\n%s", what, diff)
	}
}

// anyOrder forgets the order of attempts: two that began at one moment of the test
// began at two that are near by the database's clock.
func anyOrder() gocmp.Option {
	return cmpopts.SortSlices(func(a, b message.Attempt) bool { return a.N < b.N || a.N == b.N && a.Claim < b.Claim })
}

func nearDurations() gocmp.Option {
	return gocmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < skew })
}

// compareRows reads everything there is, on both sides.
func (p *pair) compareRows(step string) {
	p.db.Snapshot(&p.seen)
	p.tables.read(p.test, &p.there)
	p.same("marks after "+step, p.db.Marks(), p.tables.marks(p.test))
	rowsAlike(p, "deliveries after "+step, p.seen.Deliveries, p.there.Deliveries, compareDeliveries, func(d *message.Delivery) []*time.Time {
		return []*time.Time{&d.ExpiresAt, &d.LeaseUntil, &d.PublishedAt, &d.NextAttemptAt, &d.FinishedAt}
	})
	rowsAlike(p, "attempts after "+step, p.seen.Attempts, p.there.Attempts, compareAttempts, func(a *memory.AttemptRow) []*time.Time {
		return []*time.Time{&a.StartedAt, &a.FinishedAt}
	})
	rowsAlike(p, "outbox after "+step, p.seen.Outbox, p.there.Outbox, compareOutbox, func(r *memory.OutboxRow) []*time.Time {
		return []*time.Time{&r.DueAt}
	})
	rowsAlike(p, "keys after "+step, p.seen.Keys, p.there.Keys, compareIdempotency, func(r *memory.IdempotencyRow) []*time.Time {
		return []*time.Time{&r.ExpiresAt}
	})
}

// rowsAlike compares rows of a table, whose times it first rounds and whose
// order it forgets.
func rowsAlike[T comparable](p *pair, what string, memory, sql []T, order func(a, b T) int, times func(*T) []*time.Time) {
	p.Helper()
	for _, rows := range [][]T{memory, sql} {
		for i := range rows {
			for _, t := range times(&rows[i]) {
				*t = p.round(*t)
			}
		}
		slices.SortFunc(rows, order)
	}
	if !slices.Equal(memory, sql) {
		p.Fatalf("%s differ (-SQL +memory):\n%s", what, gocmp.Diff(sql, memory))
	}
}

// round makes times equal that the test takes for equal: all of them lie whole
// multiples of grid/6 from its beginning, but for the skew.
func (p *pair) round(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return p.began.Add(t.Sub(p.began).Round(2 * skew))
}

// pick is a number in [0, n). What is drawn is stirred, since small numbers are
// drawn far more often than others; the smallest stays the simplest.
func (p *pair) pick(n int, what string) int {
	drawn := rapid.Uint16().Draw(p.T, what)
	return int(drawn*40503) * n >> 16
}

func one[T any](p *pair, list []T, what string) T { return list[p.pick(len(list), what)] }

func (p *pair) maybe(oneIn int, what string) bool { return p.pick(oneIn, what) == oneIn-1 }
