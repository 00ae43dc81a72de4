package message

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

const testLease = 20 * time.Second

// world drives one delivery through random steps, holders that outlive their
// claim among them, and a clock that only the test moves.
type world struct {
	d       Delivery
	by      Claimant
	now     time.Time
	holders []Held
	marked  map[int32]bool
	told    map[int32]bool // holders that know a 250 and have not recorded it
	taken   int            // times the sink took the mail
}

func newWorld(t *rapid.T) *world {
	now := time.UnixMilli(1_800_000_000_000)
	w := &world{now: now, marked: map[int32]bool{}, told: map[int32]bool{}}
	w.by = aClaimant()
	w.by.Marking = rapid.SampledFrom([]Marking{MarkAlways, MarkHold}).Draw(t, "marking")
	w.d = Delivery{
		Key: Key{MessageID: uuid.New()}, Status: StatusQueued, Dispatch: 1, NextAttemptAt: now,
		OnUnknown: rapid.SampledFrom([]OnUnknown{Resend, Hold}).Draw(t, "on_unknown"),
	}
	if rapid.Bool().Draw(t, "expires") {
		w.d.ExpiresAt = now.Add(time.Minute)
	}
	return w
}

// step applies next when the guard held and checks what must be true of every
// step, whatever it was.
func (w *world) step(t *rapid.T, name string, next Delivery, ok bool) {
	if !ok {
		if next != w.d {
			t.Fatalf("%s: refused, yet the row changed: %+v → %+v", name, w.d, next)
		}
		return
	}
	if next.Dispatch < w.d.Dispatch || next.Claim < w.d.Claim {
		t.Fatalf("%s: a number went back", name)
	}
	if w.d.Queued(next) && (next.Status != StatusQueued || !next.PublishedAt.IsZero()) {
		t.Fatalf("%s: wrote an outbox row without being queued: %+v", name, next)
	}
	if w.d.Status == StatusSent && next.Status != StatusSent {
		t.Fatalf("%s: a 250 was forgotten", name)
	}
	if next.UnknownOutcomes < w.d.UnknownOutcomes {
		t.Fatalf("%s: an unknown outcome was forgotten", name)
	}
	w.d = next
	w.checkRow(t, name)
}

func (w *world) checkRow(t *rapid.T, name string) {
	d := w.d
	sending := d.Status == StatusSending
	switch {
	case sending != (d.Phase != PhaseNone):
		t.Fatalf("%s: %s in phase %d", name, d.Status, d.Phase)
	case sending == d.LeaseUntil.IsZero():
		t.Fatalf("%s: %s with lease %v", name, d.Status, d.LeaseUntil)
	case d.Status.Open() != d.FinishedAt.IsZero():
		t.Fatalf("%s: %s finished at %v", name, d.Status, d.FinishedAt)
	case (d.Status == StatusFailed) != (d.Reason != ReasonNone):
		t.Fatalf("%s: %s for reason %q", name, d.Status, d.Reason)
	}
}

func (w *world) anyHolder(t *rapid.T) (Held, bool) {
	if len(w.holders) == 0 {
		return Held{}, false
	}
	return rapid.SampledFrom(w.holders).Draw(t, "holder"), true
}

func (w *world) claim(t *rapid.T) {
	dispatch := w.d.Dispatch - int32(rapid.IntRange(0, 1).Draw(t, "older"))
	bid := Bid{Ref: Ref{Key: w.d.Key, Dispatch: dispatch}, Redelivered: rapid.Bool().Draw(t, "redelivered")}
	before := w.d
	next, state := w.d.ClaimFor(bid, w.by, w.now)
	w.step(t, "claim", next, state != ClaimNothing)
	if state != ClaimTaken {
		return
	}
	if before.Status == StatusSending && before.Phase == PhaseData {
		t.Fatal("claimed over a mark")
	}
	w.holders = append(w.holders, Held{Key: w.d.Key, Claim: w.d.Claim})
	w.marked[w.d.Claim] = w.d.Phase == PhaseData
}

func (w *world) mark(t *rapid.T) {
	h, ok := w.anyHolder(t)
	if !ok || w.told[h.Claim] {
		return
	}
	next, ok := w.d.Mark(h, w.now, testLease)
	w.step(t, "mark", next, ok)
	if ok {
		w.marked[h.Claim] = true
	}
}

// dot lets a marked holder write the final dot while its lease lives, and the
// sink take the mail.
func (w *world) dot(t *rapid.T) {
	h, ok := w.anyHolder(t)
	if !ok || !w.marked[h.Claim] || w.told[h.Claim] || !w.d.LeaseUntil.After(w.now) || !w.d.heldBy(h) {
		return
	}
	w.told[h.Claim] = true
	w.taken++
}

func (w *world) record(t *rapid.T) {
	h, ok := w.anyHolder(t)
	if !ok {
		return
	}
	o := Outcome{Held: h, After: 10 * time.Second, Reason: ReasonRejected}
	switch {
	case w.told[h.Claim]:
		o.Kind, o.Reason = OutcomeSent, ReasonNone
	case w.marked[h.Claim]: // and the sink has not got it
		o.Kind = rapid.SampledFrom([]OutcomeKind{OutcomeRetry, OutcomeFailed, OutcomeUnknown, OutcomeReleased}).Draw(t, "outcome")
		o.NoDot = o.Kind == OutcomeReleased
	default:
		o.Kind = rapid.SampledFrom([]OutcomeKind{OutcomeRetry, OutcomeFailed, OutcomeReleased}).Draw(t, "outcome")
	}
	o.Exhausted = o.Kind != OutcomeSent && rapid.IntRange(0, 9).Draw(t, "exhausted") == 0
	next, ok := w.d.Record(o, w.now)
	if o.Kind == OutcomeSent && !ok && w.d.Status != StatusSent {
		t.Fatal("a 250 was refused")
	}
	w.step(t, "record "+string(o.Kind), next, ok)
	w.drop(h)
}

// drop forgets a holder: it has recorded, or it crashed.
func (w *world) drop(h Held) {
	for i := range w.holders {
		if w.holders[i] == h {
			w.holders = append(w.holders[:i:i], w.holders[i+1:]...)
			return
		}
	}
}

func (w *world) actions(t *rapid.T) map[string]func(*rapid.T) {
	apply := func(name string, f func() (Delivery, bool)) func(*rapid.T) {
		return func(t *rapid.T) { next, ok := f(); w.step(t, name, next, ok) }
	}
	return map[string]func(*rapid.T){
		"claim": w.claim, "mark": w.mark, "dot": w.dot, "record": w.record,
		"crash": func(t *rapid.T) {
			if h, ok := w.anyHolder(t); ok {
				w.drop(h)
			}
		},
		"time": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
		},
		"published": apply("published", func() (Delivery, bool) {
			return w.d.Published(Ref{Key: w.d.Key, Dispatch: w.d.Dispatch}, w.now)
		}),
		"sweep":      apply("sweep", func() (Delivery, bool) { return w.d.SweepLease(w.now, time.Second) }),
		"lost":       apply("lost", func() (Delivery, bool) { return w.d.SweepLost(w.now) }),
		"expire":     apply("expire", func() (Delivery, bool) { return w.d.Expire(w.now) }),
		"cancel":     apply("cancel", func() (Delivery, bool) { return w.d.Cancel(w.now) }),
		"reschedule": apply("reschedule", func() (Delivery, bool) { return w.d.Reschedule(w.now.Add(time.Minute)) }),
		"retry":      apply("retry", func() (Delivery, bool) { return w.d.ManualRetry(w.now) }),
		"":           func(t *rapid.T) { w.checkTruth(t) },
	}
}

// checkTruth holds the record against the sink: sent only if it was, and any
// other end only if it was not or the record admits the doubt.
func (w *world) checkTruth(t *rapid.T) {
	if w.d.Status == StatusSent && w.taken == 0 {
		t.Fatal("sent, and the sink never said 250")
	}
	unsaid := false
	for _, h := range w.holders {
		unsaid = unsaid || w.told[h.Claim]
	}
	ended := !w.d.Status.Open() && w.d.Status != StatusSent
	if ended && w.taken > 0 && !unsaid && !w.d.PossiblySent() {
		t.Fatalf("%s without possibly_sent, and the sink has it", w.d.Status)
	}
	if w.d.OnUnknown == Hold && w.taken > 1 && w.d.UnknownOutcomes == 0 {
		t.Fatal("sent twice under hold without an unknown outcome between")
	}
}

func TestDeliverySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions(t))
	})
}

func aClaimant() Claimant { return Claimant{Worker: uuid.New(), Lease: testLease} }

func TestUnknownOutcomesAreCapped(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	d := Delivery{Status: StatusQueued, Dispatch: 1, OnUnknown: Resend}
	for n := 1; n <= MaxUnknownOutcomes; n++ {
		d, _ = d.ClaimFor(Bid{Ref: Ref{Dispatch: d.Dispatch}}, aClaimant(), now)
		d, _ = d.Mark(Held{Claim: d.Claim}, now, testLease)
		d, _ = d.Record(Outcome{Held: Held{Claim: d.Claim}, Kind: OutcomeUnknown}, now)
	}
	if d.Status != StatusUnknown || !d.PossiblySent() {
		t.Fatalf("after %d unknown outcomes: %s", MaxUnknownOutcomes, d.Status)
	}
}

func TestTakeOverAtOnceOnlyTheFirstTime(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	d := Delivery{Status: StatusQueued, Dispatch: 1}
	bid := Bid{Ref: Ref{Dispatch: 1}, Redelivered: true}
	for n, want := range []ClaimState{ClaimTaken, ClaimTaken, ClaimNothing} {
		var got ClaimState
		if d, got = d.ClaimFor(bid, aClaimant(), now); got != want {
			t.Fatalf("claim %d by a redelivered copy: %v, want %v", n, got, want)
		}
	}
}

func TestALate250IsRecordedOverAnothersClaim(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	d := Delivery{Status: StatusQueued, Dispatch: 1}
	d, _ = d.ClaimFor(Bid{Ref: Ref{Dispatch: 1}}, aClaimant(), now)
	slow := Held{Claim: d.Claim}
	d, _ = d.Mark(slow, now, testLease)
	later := now.Add(testLease + time.Second)
	d, _ = d.SweepLease(later, 0)
	d, state := d.ClaimFor(Bid{Ref: Ref{Dispatch: 2}}, aClaimant(), later)
	if state != ClaimTaken {
		t.Fatalf("second claim: %v", state)
	}
	d, ok := d.Record(Outcome{Held: slow, Kind: OutcomeSent}, later)
	if !ok || d.Status != StatusSent {
		t.Fatalf("the 250 of the first holder: %v, %s", ok, d.Status)
	}
	if _, ok := d.Mark(Held{Claim: d.Claim}, later, testLease); ok {
		t.Fatal("the second holder may still send")
	}
}

func TestWhatAWorkerGaveBackIsDelayedNotScheduled(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	d := Delivery{Status: StatusQueued, Dispatch: 1, NextAttemptAt: now.Add(time.Hour)}
	if got := d.Shown(now); got != StatusScheduled {
		t.Errorf("before its time: %s", got)
	}
	d, _ = d.ClaimFor(Bid{Ref: Ref{Dispatch: 1}}, aClaimant(), now)
	d, _ = d.Record(Outcome{Held: Held{Claim: d.Claim}, Kind: OutcomeReleased, After: time.Minute}, now)
	if got := d.Shown(now); got != StatusDelayed {
		t.Errorf("released: %s", got)
	}
	if got := d.Shown(now.Add(time.Hour)); got != StatusQueued {
		t.Errorf("when its time has come: %s", got)
	}
}
