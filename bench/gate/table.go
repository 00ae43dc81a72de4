package gate

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/postrider/postrider/bench/result"
)

// Write writes verdicts as a table, with what the run and the baseline are of.
func Write(w io.Writer, run *result.Run, b *Baseline, all []Verdict) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "\nRegression gate: against commit %s, sustained by %d callers, %d mails\n", b.Commit, callers, b.Mails)
	if now := run.Versions["Go"]; now != b.Go {
		fmt.Fprintf(&text, "The baseline is of Go %s, this run of %s, which may show in allocations.\n", b.Go, now)
	}
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tbaseline\tat most\t")
	for _, v := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.words, v.measured(), v.baseline(), v.most(), v.verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := text.WriteTo(w)
	return err
}

func (v Verdict) measured() string {
	if v.now.Rounds == 0 {
		return ""
	}
	return fmt.Sprintf("%s [%s..%s]", number(v.now.Median), number(v.now.Least), number(v.now.Most))
}

func (v Verdict) baseline() string {
	if v.bound.Value == 0 {
		return ""
	}
	return number(v.bound.Value)
}

func (v Verdict) most() string {
	if v.bound.Value == 0 {
		return ""
	}
	return fmt.Sprintf("%s (+%.0f %%)", number(v.bound.Value*(1+v.bound.Tolerance)), 100*v.bound.Tolerance)
}

// number has as many digits as say something: figures are from hundredths to many
// thousands.
func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
