package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// truth is what an observer knows who sees the tables, the broker, the sink and
// what callers were answered, all at once. No program of the simulation asks it.
type truth struct {
	w        *world
	ids      []uuid.UUID // of every message in the tables, in the order of acceptance
	byID     map[uuid.UUID]*letter
	baptized int
	ghosts   []*ghost
	byKey    map[message.Key]*ghost

	// One call may answer several workers of a process, who then begin at the
	// same moment; all else happens one step after the other.
	mu    sync.Mutex
	tries []*try // that are not over
}

// ghost is the truth about one delivery.
type ghost struct {
	key      message.Key
	name     string
	letter   *letter
	copies   int  // mails in the sink
	excuses  int  // duplicates that faults inside the window allow
	asked    int  // retries by the caller where a copy may have been out
	known    bool // a process was told 250
	canceled bool
	moved    bool // rescheduled or retried: it may go before its time
}

// try is a claim in the hands of a process.
type try struct {
	p        *process
	held     message.Held
	ghost    *ghost
	asked    bool // for its mark
	marked   bool
	heard    bool // that it is marked, and writes its dot
	accepted bool
	saved    bool // the 250 is committed
	excused  bool
	lost     bool // the claim was taken back
}

func (t *truth) init(w *world) {
	t.w, t.byID, t.byKey = w, map[uuid.UUID]*letter{}, map[message.Key]*ghost{}
}

// The names of things, the same in every run of a seed.

func (t *truth) key(k message.Key) string {
	if g := t.byKey[k]; g != nil {
		return g.name
	}
	return "?"
}

func (t *truth) ref(r message.Ref) string {
	return t.key(r.Key) + "@" + strconv.Itoa(int(r.Dispatch))
}

func (t *truth) held(h message.Held) string { return t.key(h.Key) + "#" + strconv.Itoa(int(h.Claim)) }

func (t *truth) refs(refs []message.Ref) string {
	words := make([]string, len(refs))
	for i, r := range refs {
		words[i] = t.ref(r)
	}
	return strings.Join(words, " ")
}

func (t *truth) message(id uuid.UUID) string {
	if l := t.byID[id]; l != nil {
		return l.name
	}
	return "?"
}

// baptize gives messages ids that the seed decides.
func (t *truth) baptize(subs []message.Submission) []message.Submission {
	for i := range subs {
		m := *subs[i].Message
		m.ID = t.newID()
		subs[i].Message = &m
	}
	return subs
}

// newID is a UUIDv7 of the virtual time and a number.
func (t *truth) newID() uuid.UUID {
	var id uuid.UUID
	ms := time.Now().UnixMilli()
	t.baptized++
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[8], id[15] = 0x70, 0x80, byte(t.baptized)
	for i := range 6 {
		id[9+i] = byte(t.w.cfg.Seed >> (8 * i))
	}
	return id
}

// accepted notes what was committed.
func (t *truth) accepted(subs []message.Submission, answers []message.Acceptance) {
	for i, a := range answers {
		if a.Err != nil || a.Replayed {
			t.w.trace.result(fmt.Sprintf("%s: replayed %v, refused %v", subs[i].Message.Head.Subject, a.Replayed, a.Err != nil))
			continue
		}
		l := t.w.letterOf(subs[i].Message.Head.Subject)
		l.ids = append(l.ids, a.ID)
		t.ids = append(t.ids, a.ID)
		t.byID[a.ID] = l
		name := l.name
		if len(l.ids) > 1 {
			name = fmt.Sprintf("%s/%d", l.name, len(l.ids))
		}
		if l.key != "" && len(l.ids) > 1 {
			t.w.violate("two messages under one idempotency key: %s", l.key)
		}
		for n := range subs[i].Message.Recipients() {
			g := &ghost{key: message.Key{MessageID: a.ID, N: int16(n)}, letter: l, name: fmt.Sprintf("%s.%d", name, n)}
			t.ghosts = append(t.ghosts, g)
			t.byKey[g.key] = g
		}
		t.w.trace.result(name + " is committed")
	}
}

// rowsOf reads the rows of bids before they are claimed.
func (t *truth) rowsOf(bids []message.Bid) []message.Delivery {
	rows := make([]message.Delivery, len(bids))
	all := t.w.look()
	for i, b := range bids {
		for _, d := range all.Deliveries {
			if d.Key == b.Key {
				rows[i] = d
			}
		}
	}
	return rows
}

// claimed checks that nothing was taken before its time.
func (t *truth) claimed(p *process, bids []message.Bid, before []message.Delivery, claims []message.Claim) {
	for i, c := range claims {
		switch c.State {
		case message.ClaimTaken:
			t.w.trace.result(t.held(c.Work.Held) + " taken")
			if due := before[i].NextAttemptAt; before[i].Status == message.StatusQueued && due.After(t.w.database.latest.Add(t.w.cfg.Slack)) {
				t.w.violate("claimed before its time: %s, %v early", t.ref(bids[i].Ref), due.Sub(t.w.database.latest))
			}
			for _, other := range t.tries {
				if other.held.Key == c.Work.Key {
					other.lost = true
				}
			}
		case message.ClaimExpired:
			t.w.counts[Expiry]++
			t.w.trace.result(t.ref(bids[i].Ref) + " expired")
		default:
			t.w.trace.result(t.ref(bids[i].Ref) + " not taken")
		}
	}
}

// begin follows a claim that is being sent.
func (t *truth) begin(p *process, work *message.Work) *try {
	one := &try{p: p, held: work.Held, ghost: t.byKey[work.Key]}
	if p.dead.Load() { // it only comes to its end
		return one
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries = append(t.tries, one)
	slices.SortStableFunc(t.tries, func(a, b *try) int { return strings.Compare(t.held(a.held), t.held(b.held)) })
	return one
}

func (t *truth) find(p *process, held message.Held) *try {
	for _, one := range t.tries {
		if one.p == p && one.held == held {
			return one
		}
	}
	return nil
}

func (t *truth) forget(one *try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries = slices.DeleteFunc(t.tries, func(other *try) bool { return other == one })
}

func (t *truth) marked(p *process, held []message.Held, ok []bool) {
	for i, h := range held {
		one := t.find(p, h)
		switch {
		case one == nil:
		case i < len(ok) && ok[i]:
			one.marked = true
		}
	}
}

// copied notes a mail in the sink, and checks that it may be there.
func (t *truth) copied(one *try) {
	g := one.ghost
	one.accepted = true
	g.copies++
	t.w.trace.result(fmt.Sprintf("the sink has %s: copy %d", g.name, g.copies))
	switch l := g.letter; {
	case g.canceled && !one.lost: // a holder that stalled past its lease was counted as possibly sent
		t.w.violate("%s was sent after its cancellation was committed", g.name)
	case l.hold && g.copies > 1+g.asked:
		t.w.violate("duplicate under hold: %s", g.name)
	case g.copies > 1+g.excuses+g.asked:
		t.w.violate("duplicate of %s: %d copies, and faults inside the window allow %d", g.name, g.copies, 1+g.excuses+g.asked)
	case !g.moved && l.scheduled.After(latest(t.w.database.latest, time.Now())): // a time past for the producer is no time
		t.w.violate("%s was sent before the time it was scheduled for", g.name)
	}
}

func (t *truth) excuse(one *try) {
	if !one.excused {
		one.excused = true
		one.ghost.excuses++
	}
}

// unheard: the mail is in the sink and its 250 is lost. Only who must leave may
// wait for it no longer.
func (t *truth) unheard(one *try, broken bool) {
	t.excuse(one)
	if broken && !one.p.leaving {
		t.w.violate("%s waited no longer for the reply to its dot: %s", one.p.name, t.held(one.held))
	}
}

// crashed follows the end of a process: what it had in hand.
func (t *truth) crashed(p *process) {
	kept := t.tries[:0]
	for _, one := range t.tries {
		if one.p != p {
			kept = append(kept, one)
			continue
		}
		if one.accepted && !one.saved {
			t.excuse(one)
		}
	}
	t.tries = kept
}

// recorded notes which tries are over.
func (t *truth) recorded(p *process, outcomes []message.Outcome, errs []error) {
	for i, o := range outcomes {
		if errs[i] != nil {
			t.w.trace.result(errs[i].Error())
			continue
		}
		one := t.find(p, o.Held)
		if o.Kind == message.OutcomeSent {
			if g := t.byKey[o.Key]; g != nil {
				g.known = true
			}
		}
		if one != nil {
			one.saved = one.saved || o.Kind == message.OutcomeSent
			t.forget(one)
		}
		if o.Kind == message.OutcomeRetry || o.Kind == message.OutcomeReleased || o.Kind == message.OutcomeUnknown {
			t.w.ring(p)
		}
	}
}

// swept looks for claims that were taken back from living holders. One that stood
// still or was cut off had it coming, if marked it may still write its dot. Any
// other is a fault of the sweep's.
func (t *truth) swept() {
	rows := t.w.look()
	for _, one := range t.tries {
		if one.lost {
			continue
		}
		for _, d := range rows.Deliveries {
			if d.Key != one.held.Key || d.Claim == one.held.Claim && d.Status == message.StatusSending {
				continue
			}
			t.takenBack(one, d)
		}
	}
}

func (t *truth) takenBack(one *try, d message.Delivery) {
	one.lost = true
	hindered := time.Since(one.p.hindered) < 3*lease
	switch {
	case d.Status == message.StatusCanceled || d.Status == message.StatusSent:
	case hindered && one.heard:
		t.excuse(one)
	case !hindered:
		t.w.violate("the sweep took %s from %s, which was alive and well", t.held(one.held), one.p.name)
	}
}

// mayBeOut reports whether the sink has a copy, or may get one of a holder that
// was let past its mark. An unknown outcome alone is no sign of that: it may be
// that of a worker that died with a claim that was its mark.
func (t *truth) mayBeOut(g *ghost) bool {
	return g.copies > 0 || slices.ContainsFunc(t.tries, func(one *try) bool { return one.ghost == g && one.heard })
}

// statesOf reads the rows of a message before its caller changes them.
func (t *truth) statesOf(id uuid.UUID) []message.Delivery {
	var rows []message.Delivery
	for _, d := range t.w.look().Deliveries {
		if d.MessageID == id {
			rows = append(rows, d)
		}
	}
	return rows
}

// steered notes what a caller's change meant for each recipient.
func (t *truth) steered(k kind, id uuid.UUID, before []message.Delivery) {
	for i, d := range t.statesOf(id) {
		g, was := t.byKey[d.Key], before[i]
		switch {
		case k == kCancel && d.Status == message.StatusCanceled:
			g.canceled = true
		case k == kRetry && was.Dispatch != d.Dispatch:
			g.canceled, g.moved = false, true
			if was.UnknownOutcomes > 0 && t.mayBeOut(g) {
				g.asked++
			}
		case k == kReschedule && was.Dispatch != d.Dispatch:
			g.moved = true
		}
	}
}
