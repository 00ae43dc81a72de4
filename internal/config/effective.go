package config

import (
	"cmp"
	"slices"
)

// Setting is the value that a program runs with. Secrets in it are hidden.
type Setting struct {
	Name   string // POSTRIDER_…
	Value  string
	Source string // default, environment, file PATH, or not set
}

// String is the setting as one line of an environment file, its source behind.
func (s Setting) String() string { return s.Name + "=" + s.Value + "  # " + s.Source }

// Default reports whether nobody gave the setting and its default holds.
func (s Setting) Default() bool { return s.Source == fromDefault }

// Unset reports whether the setting has no value at all.
func (s Setting) Unset() bool { return s.Source == fromNowhere }

// Origin remembers what Load read. It is part of every program.
type Origin struct{ list []Setting }

func (o *Origin) origin() *Origin { return o }

// Effective lists the settings that Load read, sorted by name, to be printed at
// start. It is empty for a program that was not loaded.
func (o *Origin) Effective() []Setting {
	return slices.SortedFunc(slices.Values(o.list), func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
}
