package check

import (
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// offendersShown bounds the list of an invariant, not its count.
const offendersShown = 20

// invariant is a promise and how to find who breaks it.
type invariant struct {
	name, promise string
	find          func(j *judge, broken func(id, format string, args ...any))
}

func (i invariant) judge(j *judge) Invariant {
	verdict := Invariant{Name: i.name, Promise: i.promise}
	i.find(j, func(id, format string, args ...any) {
		verdict.Broken++
		if len(verdict.Offenders) < offendersShown {
			verdict.Offenders = append(verdict.Offenders, Offender{ID: id, Why: fmt.Sprintf(format, args...)})
		}
	})
	return verdict
}

func invariants() []invariant {
	return []invariant{
		{"I1", "nothing answered 2xx is lost", nothingLost},
		{"I2", "the relay host has no copy that nobody asked for", nothingUnexpected},
		{"I3", "sent says that the relay host took it, any other end that it did not, unless in doubt", nothingUntrue},
		{"I4", "a second copy comes only from a fault in the window, one from each; under hold none", nothingDuplicated},
		{"I5", "one message for each Idempotency-Key", oneMessagePerKey},
		{"I6", "after the last fault all comes to rest", allAtRest},
		{"I7", "every copy has the same Message-ID and the same bytes", allCopiesEqual},
		{"I8", "no process needs a restart", allWell},
	}
}

func nothingLost(j *judge, broken func(id, format string, args ...any)) {
	for _, m := range j.mails {
		if !m.acknowledged {
			continue
		}
		if why := m.lost(j.evidence.Taken); why != "" {
			broken(m.message, "to %s: %s", m.recipient, why)
		}
	}
}

func nothingUnexpected(j *judge, broken func(id, format string, args ...any)) {
	for _, m := range j.mails {
		if !m.acknowledged && !m.asked {
			for _, c := range m.copies {
				broken(m.message, "a copy to %s at %s, Message-ID %q", m.recipient, clock(c.At), c.MessageID)
			}
		}
	}
}

func nothingUntrue(j *judge, broken func(id, format string, args ...any)) {
	for _, m := range j.mails {
		var told *Copy
		for _, c := range m.copies {
			if c.Told {
				told = c
			}
		}
		for _, row := range m.rows {
			if why := row.untrue(told); why != "" {
				broken(m.message, "to %s: %s", m.recipient, why)
			}
		}
	}
}

// untrue says what is wrong with a row's status; told is a copy that the relay
// host answered 2xx, or nil.
func (r *Row) untrue(told *Copy) string {
	switch {
	case r.Status == message.StatusSending:
		return ""
	case r.Status == message.StatusSent && told == nil:
		return "is sent, and the relay host never said so"
	case r.Status == message.StatusUnknown && r.UnknownOutcomes == 0:
		return "is unknown without a doubt on record"
	case r.Status != message.StatusSent && told != nil && r.UnknownOutcomes == 0:
		return fmt.Sprintf("is %s %s, and the relay host took it at %s", r.Status, r.Reason, clock(told.At))
	}
	return ""
}

func nothingDuplicated(j *judge, broken func(id, format string, args ...any)) {
	var extra []duplicate
	for _, m := range j.mails {
		if !m.acknowledged && !m.asked {
			continue
		}
		more := len(m.extra())
		switch doubts := m.unknownOutcomes(); {
		case more == 0:
			continue
		case m.hold:
			broken(m.message, "to %s: %d copies under hold", m.recipient, len(m.copies))
			continue
		case more > doubts:
			broken(m.message, "to %s: %d copies, and %d unknown outcomes on record", m.recipient, len(m.copies), doubts)
			continue
		}
		extra = append(extra, m.duplicates()...)
	}
	for _, d := range unexplained(extra, j.evidence.Faults) {
		broken(d.mail.message, "to %s: a copy at %s after one at %s, and no fault explains it",
			d.mail.recipient, clock(d.second), clock(d.first))
	}
}

func oneMessagePerKey(j *judge, broken func(id, format string, args ...any)) {
	keyOf := map[string]string{}
	keyed := len(j.requests) > 0
	for _, r := range j.requests {
		if r.key == "" {
			keyed = false
			continue
		}
		if why := r.divided(j.evidence.Keys); why != "" {
			broken(r.key, "%s", why)
		}
		for id := range r.messages(j.evidence.Keys) {
			if other, taken := keyOf[id]; taken {
				broken(r.key, "leads to message %s, as does %s", id, other)
			}
			keyOf[id] = r.key
		}
	}
	if !keyed || j.evidence.Keys == nil {
		return
	}
	for _, m := range j.mails {
		if _, known := keyOf[m.message]; !known && len(m.rows) > 0 {
			broken(m.message, "to %s: is in the tables, and no key leads to it", m.recipient)
		}
	}
}

// messages are the ids that a key led to, by answer or by the tables.
func (r *request) messages(keys map[string]string) map[string]bool {
	ids := map[string]bool{}
	for _, c := range r.calls {
		if c.acknowledged() {
			ids[c.Message] = true
		}
	}
	if id := keys[r.key]; id != "" {
		ids[id] = true
	}
	return ids
}

// divided says how a key led to more than one message.
func (r *request) divided(keys map[string]string) string {
	var first *Call
	for _, c := range r.calls {
		switch {
		case !c.acknowledged():
		case first == nil:
			first = c
		case first.Message != c.Message:
			return fmt.Sprintf("was answered %s and %s", first.Message, c.Message)
		case first.Hash != c.Hash:
			return "was acknowledged for two different bodies"
		}
	}
	if first == nil || keys == nil {
		return ""
	}
	switch id := keys[r.key]; id {
	case first.Message:
		return ""
	case "":
		return "is not in the tables, and was answered " + first.Message
	default:
		return fmt.Sprintf("is message %s in the tables, and was answered %s", id, first.Message)
	}
}

func allAtRest(j *judge, broken func(id, format string, args ...any)) {
	e := j.evidence
	for i := range e.Rows {
		if row := &e.Rows[i]; row.stuck(e.Taken) {
			broken(row.Message, "to %s: %s, lease until %s, next attempt %s", row.Address, row.Status, clock(row.LeaseUntil), clock(row.NextAttempt))
		}
	}
	for _, q := range e.Queues {
		if !q.Notices && q.Ready+q.Unacked > 0 {
			broken(q.Name, "%d ready, %d unacknowledged", q.Ready, q.Unacked)
		}
	}
	limit := e.QuietLimit
	if limit == 0 {
		limit = defaultQuietLimit
	}
	if j.report.Settled > limit {
		broken("rest", "came %s after the last fault; the limit is %s", j.report.Settled.Round(time.Millisecond), limit)
	}
}

func allCopiesEqual(j *judge, broken func(id, format string, args ...any)) {
	first := map[string]*Copy{}
	for _, m := range j.mails {
		for _, c := range m.copies {
			one := first[m.message]
			switch {
			case one == nil:
				first[m.message] = c
			case one.MessageID != c.MessageID:
				broken(m.message, "has Message-ID %q and %q", one.MessageID, c.MessageID)
			case one.Hash != c.Hash:
				broken(m.message, "the copy to %s at %s has other bytes than the one to %s at %s",
					c.Recipient, clock(c.At), one.Recipient, clock(one.At))
			}
		}
	}
}

func allWell(j *judge, broken func(id, format string, args ...any)) {
	for _, p := range j.evidence.Processes {
		if p.Exits > 0 {
			broken(p.Name, "ended %d times by itself", p.Exits)
		}
		if p.State != "ok" {
			broken(p.Name, "is %q at the end", p.State)
		}
	}
}

// clock is a time as it stands in logs; "-" where there is none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("15:04:05.000")
}
