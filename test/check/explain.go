package check

import (
	"slices"
	"time"
)

// readingLag is how long after its client's death the relay host may still read
// what that had written.
const readingLag = 5 * time.Second

// duplicate is a copy beyond the first, with the one before it.
type duplicate struct {
	mail          *mail
	first, second time.Time
}

func (m *mail) duplicates() []duplicate {
	var list []duplicate
	for i := len(m.copies) - len(m.extra()); i < len(m.copies); i++ {
		list = append(list, duplicate{m, m.copies[i-1].At, m.copies[i].At})
	}
	return list
}

// explains reports whether the fault can have made the duplicate: the outcome of
// the first copy was lost after its final dot and before the second was sent.
func (f *Fault) explains(d duplicate) bool {
	return f.Sends > 0 &&
		(d.second.IsZero() || !f.Begun.After(d.second)) &&
		(d.first.IsZero() || !f.end().Before(d.first.Add(-readingLag)))
}

// unexplained returns the duplicates that remain when every fault answers for as
// many as it had sends in flight: a largest matching, by augmenting paths, so that
// no order of faults and duplicates makes a false accusation.
func unexplained(extra []duplicate, faults []Fault) []duplicate {
	m := matching{extra: extra, faults: faults, taken: make([][]int, len(faults))}
	var left []duplicate
	for i := range extra {
		if !m.place(i, make([]bool, len(faults))) {
			left = append(left, extra[i])
		}
	}
	return left
}

type matching struct {
	extra  []duplicate
	faults []Fault
	taken  [][]int // by fault: the duplicates it answers for
}

// place finds a fault for the duplicate, moving others to make room.
func (m *matching) place(d int, seen []bool) bool {
	for f := range m.faults {
		if seen[f] || !m.faults[f].explains(m.extra[d]) {
			continue
		}
		seen[f] = true
		if len(m.taken[f]) < m.faults[f].Sends {
			m.taken[f] = append(m.taken[f], d)
			return true
		}
		for i, other := range m.taken[f] {
			if m.place(other, seen) {
				m.taken[f][i] = d
				return true
			}
		}
	}
	return false
}

// bound adds up what the faults allow.
func bound(faults []Fault) Bound {
	var b Bound
	for i := range faults {
		f := &faults[i]
		at := slices.IndexFunc(b.Parts, func(p Part) bool { return p.Kind == f.Kind })
		if at < 0 {
			at = len(b.Parts)
			b.Parts = append(b.Parts, Part{Kind: f.Kind})
		}
		b.Parts[at].Fired++
		b.Parts[at].Sends += f.Sends
		b.Most += f.Sends
	}
	return b
}

// unfired lists the expected kinds of which no fault was made.
func unfired(e *Evidence) []string {
	var never []string
	for _, kind := range e.Expected {
		if !slices.ContainsFunc(e.Faults, func(f Fault) bool { return f.Kind == kind }) {
			never = append(never, kind)
		}
	}
	return never
}
