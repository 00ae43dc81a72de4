package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with one setting. It never holds a secret.
type Fault struct {
	Name    string // POSTRIDER_…
	Problem string // continues the name, as in "is empty"
	Remedy  string // what to do
}

// String is the fault in one line.
func (f Fault) String() string { return fmt.Sprintf("%s %s: %s", f.Name, f.Problem, f.Remedy) }

// Error is a configuration that no program starts with.
type Error struct {
	Program string
	Faults  []Fault
}

// Error lists every fault, one to a line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the settings of %s are wrong:", e.Program)
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

type faults struct{ list []Fault }

func (f *faults) add(name, problem, remedy string) {
	f.list = append(f.list, Fault{Name: name, Problem: problem, Remedy: remedy})
}

// require adds a fault for a setting that is needed and absent, unless it is
// absent because it could not be read.
func (f *faults) require(name string, present bool, remedy string) {
	if !present && !f.has(name) {
		f.add(name, "is not set", remedy)
	}
}

// relate adds a fault for a relation that does not hold, unless one of the
// settings could not be read: then nothing is known about the relation.
func (f *faults) relate(holds bool, name, other, problem, remedy string) {
	if !holds && !f.has(name) && !f.has(other) {
		f.add(name, problem, remedy)
	}
}

// has reports whether the setting, or the file it should come from, has a fault.
func (f *faults) has(name string) bool {
	for _, fault := range f.list {
		if fault.Name == name || fault.Name == name+fileSuffix {
			return true
		}
	}
	return false
}

func (f *faults) err(program string) error {
	if len(f.list) == 0 {
		return nil
	}
	return &Error{Program: program, Faults: f.list}
}

// badValue is what Decode methods return: a problem and a remedy in words that
// hold nothing of the value when the value may be secret.
type badValue struct{ problem, remedy string }

func (b *badValue) Error() string { return b.problem + ": " + b.remedy }

func bad(problem, remedy string) error { return &badValue{problem: problem, remedy: remedy} }
