package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/message"
)

const defaultQuietLimit = time.Minute

// Run judges the evidence. It does not change it.
func Run(e *Evidence) *Report {
	j := newJudge(e)
	for _, m := range j.mails {
		j.count(m)
	}
	j.report.Calls = len(e.Calls)
	j.report.Bound = bound(e.Faults)
	j.report.Unfired = unfired(e)
	j.report.Taken = e.Taken
	if last := lastFault(e.Faults); !e.Quiet.IsZero() && !last.IsZero() {
		j.report.Settled = max(0, e.Quiet.Sub(last))
	}
	for _, i := range invariants() {
		j.report.Invariants = append(j.report.Invariants, i.judge(j))
	}
	return j.report
}

// judge is the evidence in order, and the report it is made into.
type judge struct {
	evidence *Evidence
	requests []*request
	mails    []*mail
	byID     map[mailID]*mail
	report   *Report
}

// request is all calls with one key.
type request struct {
	key   string // "" for a call without one, which is a request of its own
	calls []*Call
}

// mailID names a recipient of a message.
type mailID struct{ message, recipient string }

// mail is all that is known of one recipient of one message.
type mail struct {
	mailID
	acknowledged bool
	asked        bool // its caller cannot know whether it was accepted
	hold         bool
	copies       []*Copy // by time
	rows         []*Row  // one, but for an address that the message names twice
}

func newJudge(e *Evidence) *judge {
	j := &judge{evidence: e, byID: map[mailID]*mail{}, report: &Report{Otherwise: map[string]int{}}}
	j.gatherRequests()
	for i := range e.Rows {
		row := &e.Rows[i]
		m := j.mail(row.Message, row.Address)
		m.rows = append(m.rows, row)
		m.hold = m.hold || row.OnUnknown == message.Hold
	}
	for i := range e.Copies {
		m := j.mail(e.Copies[i].Message, e.Copies[i].Recipient)
		m.copies = append(m.copies, &e.Copies[i])
	}
	for _, m := range j.mails {
		slices.SortStableFunc(m.copies, func(a, b *Copy) int { return a.At.Compare(b.At) })
	}
	slices.SortFunc(j.mails, func(a, b *mail) int {
		return cmp.Or(cmp.Compare(a.message, b.message), cmp.Compare(a.recipient, b.recipient))
	})
	return j
}

func (j *judge) gatherRequests() {
	byKey := map[string]*request{}
	for i := range j.evidence.Calls {
		call := &j.evidence.Calls[i]
		r := byKey[call.Key]
		if r == nil || call.Key == "" {
			r = &request{key: call.Key}
			byKey[call.Key] = r
			j.requests = append(j.requests, r)
		}
		r.calls = append(r.calls, call)
	}
	for _, r := range j.requests {
		to := slices.Sorted(slices.Values(r.calls[0].Recipients))
		j.report.Attempts += len(slices.Compact(to))
		j.ask(r)
	}
}

// ask notes for which mails a request speaks.
func (j *judge) ask(r *request) {
	for _, call := range r.calls {
		id := call.Message
		if !call.acknowledged() {
			id = j.evidence.Keys[call.Key]
		}
		if !call.acknowledged() && (!call.unclear() || id == "") {
			continue
		}
		for _, to := range call.Recipients {
			m := j.mail(id, to)
			m.acknowledged = m.acknowledged || call.acknowledged()
			m.asked = m.asked || call.unclear()
			m.hold = m.hold || call.OnUnknown == message.Hold
		}
	}
}

func (j *judge) mail(id, recipient string) *mail {
	key := mailID{id, recipient}
	m := j.byID[key]
	if m == nil {
		m = &mail{mailID: key}
		j.byID[key] = m
		j.mails = append(j.mails, m)
	}
	return m
}

// count adds a mail to the numbers of the report.
func (j *judge) count(m *mail) {
	r := j.report
	for _, row := range m.rows {
		r.UnknownOutcomes += row.UnknownOutcomes
		if row.UnknownOutcomes > 0 && row.Status != message.StatusSent {
			r.PossiblySent++
		}
	}
	switch {
	case !m.acknowledged && !m.asked:
		r.Unexpected += len(m.copies)
		return
	case m.acknowledged:
		j.countAcknowledged(m)
	case len(m.copies) > 0:
		r.Recovered++
	}
	r.Duplicated += len(m.extra())
}

func (j *judge) countAcknowledged(m *mail) {
	r := j.report
	r.Acknowledged++
	switch {
	case len(m.copies) > 0:
		r.Delivered++
	case m.lost(j.evidence.Taken) != "":
		r.Lost++
	case m.rows[0].Status.Open():
		r.Waiting++
	default:
		r.Otherwise[string(m.rows[0].Status)]++
	}
}

// lost says why an acknowledged mail is lost; "" if it is not.
func (m *mail) lost(now time.Time) string {
	switch {
	case len(m.copies) > 0:
		return ""
	case len(m.rows) == 0:
		return "is not in the tables"
	case m.rows[0].Status == message.StatusSent:
		return "is sent, and the relay host has no copy"
	case m.rows[0].stuck(now):
		return "is still " + string(m.rows[0].Status) + " and nothing is ahead of it"
	}
	return ""
}

// extra is the copies beyond the first.
func (m *mail) extra() []*Copy {
	wanted := max(1, len(m.rows))
	if len(m.copies) <= wanted {
		return nil
	}
	return m.copies[wanted:]
}

// unknownOutcomes is how many copies the tables doubt.
func (m *mail) unknownOutcomes() int {
	n := 0
	for _, row := range m.rows {
		n += row.UnknownOutcomes
	}
	return n
}

// waiting reports whether the row only waits for its time.
func (r *Row) waiting(now time.Time) bool {
	return r.Status == message.StatusQueued && r.NextAttempt.After(now)
}

// stuck reports whether the row is open although its time has come.
func (r *Row) stuck(now time.Time) bool { return r.Status.Open() && !r.waiting(now) }

func lastFault(faults []Fault) time.Time {
	var last time.Time
	for i := range faults {
		if end := faults[i].end(); end.After(last) {
			last = end
		}
	}
	return last
}
