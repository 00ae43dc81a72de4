package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/postrider/postrider/test/check"
)

// row is one experiment as it was made.
type row struct {
	Name     string        `json:"name"`
	Command  string        `json:"command"`
	Date     time.Time     `json:"date"`
	Commit   string        `json:"commit"`
	Code     string        `json:"code"` // names what was tested: equal for commits that change no program
	Form     string        `json:"form"` // full, or how it was cut short
	Requires string        `json:"requires"`
	Measured string        `json:"measured"`
	Pass     bool          `json:"pass"`
	Failure  string        `json:"failure,omitempty"`
	Seconds  float64       `json:"seconds"`
	Machine  machine       `json:"machine"`
	Report   *check.Report `json:"report,omitempty"`
}

// record is a file of rows, one JSON object a line, the newest last. It is only
// ever added to, so that a run that is interrupted keeps what it has.
type record struct {
	file string
	rows []row
}

// openRecord reads the file, which need not exist yet.
func openRecord(file string) (*record, error) {
	r := &record{file: file}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var one row
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		r.rows = append(r.rows, one)
	}
	return r, lines.Err()
}

// add writes a row behind the others.
func (r *record) add(one row) error {
	line, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("record %s: %w", one.Name, err)
	}
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record %s: %w", one.Name, err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("record %s: %w", one.Name, err)
	}
	r.rows = append(r.rows, one)
	return nil
}

// newest returns the last row of an experiment, whole runs before short ones.
func (r *record) newest(name string) (row, bool) {
	var found row
	ok := false
	for _, one := range r.rows {
		if one.Name == name && (!ok || one.Form == formFull || found.Form != formFull) {
			found, ok = one, true
		}
	}
	return found, ok
}

// done reports whether the experiment has passed in this form with this code.
func (r *record) done(name, form, code string) bool {
	for i := len(r.rows) - 1; i >= 0; i-- {
		if one := &r.rows[i]; one.Name == name && one.Form == form {
			return one.Pass && one.Code == code
		}
	}
	return false
}

// writeTable writes the newest row of each experiment as a table in Markdown.
func (r *record) writeTable(w io.Writer, all []experiment) error {
	var b strings.Builder
	b.WriteString("| figure | required | measured | | date, commit | command |\n|---|---|---|---|---|---|\n")
	var last row
	for _, e := range all {
		one, ok := r.newest(e.name)
		if !ok {
			fmt.Fprintf(&b, "| %s | %s | not yet | | | |\n", e.name, cell(e.requires))
			continue
		}
		verdict := "pass"
		if !one.Pass {
			verdict = "FAIL: " + cell(one.Failure)
		}
		if one.Form != formFull {
			verdict += " (" + one.Form + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s, %s | `%s` |\n", one.Name, cell(one.Requires), cell(one.Measured), verdict,
			one.Date.Format(time.DateOnly), one.Commit, one.Command)
		if one.Date.After(last.Date) {
			last = one
		}
	}
	if !last.Date.IsZero() {
		fmt.Fprintf(&b, "\nThe newest was made on %s.\n", last.Machine)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps a text from breaking the table.
func cell(s string) string {
	s = strings.ReplaceAll(s, "|", "\\|")
	return strings.Join(strings.Fields(s), " ")
}
