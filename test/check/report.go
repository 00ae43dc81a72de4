package check

import "time"

// Report is the judgement of a run. All counts but Calls are of mails.
type Report struct {
	Calls        int `json:"calls"`
	Attempts     int `json:"attempts"`
	Acknowledged int `json:"acknowledged"`
	Delivered    int `json:"delivered"`
	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	Unexpected   int `json:"unexpected"`
	Recovered    int `json:"recovered"`

	// Otherwise counts the acknowledged mails that are not delivered and whose
	// state says so, by that state; Waiting those whose time is ahead.
	// Acknowledged is the sum of Delivered, Otherwise, Waiting and Lost.
	Otherwise map[string]int `json:"otherwise,omitempty"`
	Waiting   int            `json:"waiting"`

	UnknownOutcomes int `json:"unknown_outcomes"` // as the tables count them
	PossiblySent    int `json:"possibly_sent"`    // ended otherwise than sent, with a doubt

	Bound      Bound         `json:"bound"`
	Unfired    []string      `json:"unfired,omitempty"` // kinds of fault that were to be made and never were
	Settled    time.Duration `json:"settled,omitempty"` // from the last fault until the run was at rest
	Invariants []Invariant   `json:"invariants"`        // all of them, in order
	Taken      time.Time     `json:"taken,omitzero"`    // when the evidence was read
}

// Bound is the most duplicates that the faults of the run explain.
type Bound struct {
	Most  int    `json:"most"`
	Parts []Part `json:"parts"` // how it was made; every kind of fault, also those that allow none
}

// Part is what one kind of fault adds to a Bound.
type Part struct {
	Kind  string `json:"kind"`
	Fired int    `json:"fired"`
	Sends int    `json:"sends"` // outcomes it can have robbed
}

// Invariant is one promise and who broke it.
type Invariant struct {
	Name      string     `json:"name"` // I1 to I8
	Promise   string     `json:"promise"`
	Broken    int        `json:"broken"`              // how often
	Offenders []Offender `json:"offenders,omitempty"` // the first of them
}

// Offender is one case in which an invariant does not hold.
type Offender struct {
	ID  string `json:"id"` // of the message, key, queue or process
	Why string `json:"why"`
}

// OK reports whether every invariant holds and every expected fault was made.
func (r *Report) OK() bool {
	for _, p := range r.Invariants {
		if p.Broken > 0 {
			return false
		}
	}
	return len(r.Unfired) == 0
}

// Broken returns the names of the invariants that do not hold.
func (r *Report) Broken() []string {
	var names []string
	for _, p := range r.Invariants {
		if p.Broken > 0 {
			names = append(names, p.Name)
		}
	}
	return names
}
