package handlebars

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Layout is the name that the layout has in a Place. No partial can have it.
const Layout = "the layout"

// Place is where something stands in what a mail is made from.
type Place struct {
	Part   string // subject, html or text
	Name   string // the partial, or Layout; "": the template itself
	Line   int    // from 1; 0: at no one place
	Column int    // from 1, in characters
}

// String is such as "line 2, column 7 of html in footer".
func (p Place) String() string {
	where := p.Part
	if p.Line > 0 {
		where = fmt.Sprintf("line %d, column %d of %s", p.Line, p.Column, p.Part)
	}
	if p.Name != "" {
		where += " in " + p.Name
	}
	return where
}

// Error is a template that is refused.
type Error struct {
	Place
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return e.Place.String() + ": " + e.Detail }

// ValueError is a value that does not fit the template it is given to, at the
// place where the template uses it.
type ValueError struct {
	Place
	Path    []string // names, and indexes of lists, from the outermost
	Missing bool
	Detail  string
}

// Error implements error.
func (e *ValueError) Error() string { return strings.Join(e.Path, ".") + " " + e.Says() }

// Says is the detail with its place.
func (e *ValueError) Says() string { return e.Detail + e.behind() }

// LimitError is a rendering that was broken off; its place is that of the last tag
// before. Late is one for its time alone, which a process that stands still uses up as
// well.
type LimitError struct {
	Place
	Detail string
	Late   bool
}

// Error implements error.
func (e *LimitError) Error() string { return e.Detail + e.behind() }

// behind is the place as it follows a sentence.
func (p Place) behind() string {
	if p.Line == 0 {
		return ""
	}
	return " (" + p.String() + ")"
}

// fault is what is wrong at an offset of one text.
type fault struct {
	at     int // -1: at no one place
	detail string
}

func (f *fault) Error() string { return f.detail }

func faultf(at int, format string, args ...any) error {
	return &fault{at: at, detail: fmt.Sprintf(format, args...)}
}

// position turns an offset into a line and a column.
func position(text string, at int) (line, column int) {
	if at < 0 || at > len(text) {
		return 0, 0
	}
	before := text[:at]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}
