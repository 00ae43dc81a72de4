package check

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the report as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(t, "%s\t%v\t%s\n", name, value, note) }
	row("attempts", r.Attempts, fmt.Sprintf("in %d calls", r.Calls))
	row("acknowledged", r.Acknowledged, "")
	row("delivered", r.Delivered, "")
	row("lost", r.Lost, "")
	row("duplicated", r.Duplicated, fmt.Sprintf("at most %d: %s", r.Bound.Most, r.Bound.explained()))
	row("unexpected", r.Unexpected, "")
	row("recovered", r.Recovered, "")
	for _, status := range slices.Sorted(maps.Keys(r.Otherwise)) {
		row("ended "+status, r.Otherwise[status], "")
	}
	row("waiting", r.Waiting, "")
	row("unknown outcomes", r.UnknownOutcomes, fmt.Sprintf("possibly sent at the end: %d", r.PossiblySent))
	if r.Settled > 0 {
		row("at rest after", r.Settled.Round(time.Millisecond*100), "the last fault")
	}
	fmt.Fprintln(t)
	for _, i := range r.Invariants {
		row(i.Name, i.verdict(), i.Promise)
		for _, o := range i.Offenders {
			row("", "", "  "+o.ID+": "+o.Why)
		}
	}
	for _, kind := range r.Unfired {
		row("never fired", kind, "a run without its fault proves nothing")
	}
	return t.Flush()
}

func (i *Invariant) verdict() string {
	if i.Broken == 0 {
		return "holds"
	}
	return fmt.Sprintf("BROKEN %d×", i.Broken)
}

// explained says how the bound was made, with the faults that allow none last.
func (b *Bound) explained() string {
	if len(b.Parts) == 0 {
		return "no faults"
	}
	parts := make([]string, len(b.Parts))
	for i, p := range b.Parts {
		parts[i] = fmt.Sprintf("%d× %s (%d sends in flight)", p.Fired, p.Kind, p.Sends)
		if p.Sends == 0 {
			parts[i] = fmt.Sprintf("%d× %s (none)", p.Fired, p.Kind)
		}
	}
	return strings.Join(parts, ", ")
}

// Text is what WriteText writes.
func (r *Report) Text() string {
	var b strings.Builder
	_ = r.WriteText(&b) // a strings.Builder takes everything
	return b.String()
}
