package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// publish writes the table, the report and, where something is wrong, the evidence.
func (r *result) publish(ctx context.Context, a *arena, out io.Writer) error {
	dir := filepath.Join(r.o.dir, fmt.Sprintf("%s-%s-%d", r.begun.Format("20060102-150405"), r.o.mode, r.o.seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := r.report.WriteText(out); err != nil {
		return err
	}
	r.writeFaults(out)
	for _, wrong := range r.wrongs {
		fmt.Fprintln(out, "wrong:", wrong)
	}
	page := filepath.Join(dir, "report.html")
	err := errors.Join(r.writePage(ctx, a, page), writeJSON(filepath.Join(dir, "evidence.json"), r.evidence))
	fmt.Fprintf(out, "\nreport: %s\n", page)
	if r.ok() && !r.o.keep {
		return err
	}
	logs := filepath.Join(dir, "logs")
	err = errors.Join(err, os.MkdirAll(logs, 0o755), a.keepLogs(logs))
	fmt.Fprintf(out, "evidence: %s, with what every process wrote in %s\n", filepath.Join(dir, "evidence.json"), logs)
	if r.ok() {
		return err
	}
	return errors.Join(errBroken, err)
}

// writeFaults shows how often each kind was made.
func (r *result) writeFaults(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nfault\tmade\tsends in flight")
	for _, p := range r.report.Bound.Parts {
		fmt.Fprintf(t, "%s\t%d\t%d\n", p.Kind, p.Fired, p.Sends)
	}
	_ = t.Flush()
	if r.omitted > 0 {
		fmt.Fprintf(out, "%d faults of the sequence were left out: their part was not back in time\n", r.omitted)
	}
	if !r.evidence.Quiet.IsZero() {
		fmt.Fprintf(out, "drained %v after the faults were over\n", r.evidence.Quiet.Sub(r.hurting).Round(time.Millisecond*100))
	}
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
