package simulate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// custody checks of every open delivery that it is in somebody's hands, the
// outbox's, the broker's, or a claim's, and that what it says of the broker is
// so. Only what the broker lost is in nobody's, until the sweep finds out.
func (t *truth) custody() {
	if len(t.ids) == 0 {
		return
	}
	rows := t.w.look()
	for i := range rows.Deliveries {
		d := &rows.Deliveries[i]
		if d.Status != message.StatusQueued {
			continue
		}
		ref := message.Ref{Key: d.Key, Dispatch: d.Dispatch}
		if !d.PublishedAt.IsZero() && !t.w.broker.had[ref] {
			t.w.violate("%s is noted as published, and the broker never had it", t.ref(ref))
		}
		inOutbox := rows.AllOutbox && slices.Contains(rows.Outbox, ref) || !rows.AllOutbox && d.PublishedAt.IsZero()
		if !inOutbox && !t.w.broker.has(ref) && !t.w.broker.lost[ref] {
			t.w.violate("%s is in nobody's custody, and the broker lost nothing", t.ref(ref))
		}
	}
}

// idle reports whether every delivery has come to an end and nobody works on
// any.
func (t *truth) idle() bool {
	if len(t.tries) > 0 {
		return false
	}
	return !slices.ContainsFunc(t.w.look().Deliveries, func(d message.Delivery) bool { return d.Status.Open() })
}

// unfinished says what keeps a simulation from coming to rest.
func (t *truth) unfinished() string {
	var words []string
	rows := t.w.look()
	for _, d := range rows.Deliveries {
		if d.Status.Open() {
			words = append(words, fmt.Sprintf("%s %s (lease until %v)", t.ref(message.Ref{Key: d.Key, Dispatch: d.Dispatch}), d.Status, d.LeaseUntil))
		}
	}
	for _, one := range t.tries {
		words = append(words, "try "+t.held(one.held)+" of "+one.p.name)
	}
	return strings.Join(append(words, fmt.Sprintf("%d outbox rows, %d callers at work, copies left: %v", rows.OutboxRows, t.w.callers, t.w.broker.holds())), "; ")
}

// judge checks what must be true once everything has come to rest.
func (t *truth) judge() {
	for _, l := range t.w.letters {
		if l.acknowledged && len(l.ids) == 0 {
			t.w.violate("lost: %s was answered 202 and is not in the tables", l.name)
		}
	}
	found := 0
	for _, d := range t.w.look().Deliveries {
		g := t.byKey[d.Key]
		found++
		if broken := t.wrong(g, &d); broken != "" {
			t.w.violate("%s is %s %s: %s (%d copies in the sink)", g.name, d.Status, d.Reason, broken, g.copies)
		}
	}
	if found != len(t.ghosts) {
		t.w.violate("lost: %d deliveries were committed, %d are there", len(t.ghosts), found)
	}
}

// wrong is what the end of a delivery says that is not so.
func (t *truth) wrong(g *ghost, d *message.Delivery) string {
	switch {
	case !d.LeaseUntil.IsZero():
		return "a lease is left"
	case d.Status == message.StatusSent && g.copies == 0:
		return "nothing was sent"
	case g.known && d.Status != message.StatusSent:
		return "its 250 was recorded"
	case d.Status != message.StatusSent && !d.PossiblySent() && g.copies > 0:
		return "it was sent, and possibly_sent does not say so"
	case d.Status == message.StatusUnknown && !g.letter.hold && d.UnknownOutcomes < message.MaxUnknownOutcomes:
		return "it should have been resent"
	case d.Status == message.StatusUnknown && d.UnknownOutcomes == 0:
		return "no outcome was unknown"
	case d.Status == message.StatusFailed && d.Reason == message.ReasonExpired && g.letter.expires.IsZero():
		return "it had no end"
	}
	return ""
}
