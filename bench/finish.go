package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/gate"
	"github.com/postrider/postrider/bench/report"
	"github.com/postrider/postrider/bench/result"
)

var errWorse = errors.New("a figure of the regression gate is worse than its baseline allows")

// finish writes what was measured to where the options say, and shows it.
func (o options) finish(w io.Writer, root string, run *result.Run) error {
	var errs []error
	if o.out != "" {
		errs = append(errs, run.Save(o.out))
	}
	if o.docs {
		errs = append(errs, fillDocs(root, run))
	}
	errs = append(errs, report.Table(w, run), report.Goals(w, run), o.holdAgainst(w, root, run))
	return errors.Join(errs...)
}

// again shows a run that was saved, and measures nothing.
func (o options) again(w io.Writer) error {
	root, err := rig.Root()
	if err != nil {
		return err
	}
	run, err := result.Load(o.from)
	if err != nil {
		return err
	}
	return o.finish(w, root, run)
}

// emptyPage is what results are written into where there is no page yet.
const emptyPage = "# Performance\n\n<!-- results: begin -->\n<!-- results: end -->\n"

func fillDocs(root string, run *result.Run) error {
	page := filepath.Join(root, "docs", "performance.md")
	if _, err := os.Stat(page); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(page, []byte(emptyPage), 0o644); err != nil {
			return fmt.Errorf("fill in results: %w", err)
		}
	}
	if _, err := report.Plots(filepath.Join(root, "docs", "performance"), run); err != nil {
		return err
	}
	return report.Fill(page, run)
}

// holdAgainst is the regression gate. A run of other conditions than the baseline's is
// not judged.
func (o options) holdAgainst(w io.Writer, root string, run *result.Run) error {
	file := o.baseline
	if !filepath.IsAbs(file) {
		file = filepath.Join(root, file)
	}
	now := gate.Conditions{Mails: run.Mails, Workers: run.Workers}
	b, err := gate.Load(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.accept {
		if b != nil && b.Conditions != now {
			b = nil // its figures are of another phase
		}
		if b = gate.Accept(run, b, now); len(b.Figures) == 0 {
			return errors.New("accept the baseline: nothing was measured for it")
		}
		if err := b.Save(file); err != nil {
			return err
		}
	}
	if b == nil {
		_, err := fmt.Fprintln(w, "\nRegression gate: there is no baseline; -accept-baseline writes one")
		return err
	}
	return judge(w, run, b, now)
}

func judge(w io.Writer, run *result.Run, b *gate.Baseline, now gate.Conditions) error {
	verdicts := gate.Judge(run, b)
	if !gate.Measured(verdicts) {
		return nil
	}
	if b.Conditions != now {
		_, err := fmt.Fprintf(w, "\nRegression gate: not judged, since the baseline is of %d mails and %d workers, and this run of %d and %d\n",
			b.Mails, b.Workers, now.Mails, now.Workers)
		return err
	}
	if err := gate.Write(w, run, b, verdicts); err != nil {
		return err
	}
	if gate.Worse(verdicts) {
		return errWorse
	}
	return nil
}
