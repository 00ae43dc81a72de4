package handlebars

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a template that is refused. Line and Column count from 1, columns in
// characters; both are 0 where the fault has no one place.
type Error struct {
	Part   string // subject, html or text
	Name   string // the partial, or "layout"; "": the template itself
	Line   int
	Column int
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Name != "" {
		fmt.Fprintf(&b, "in %s, ", e.Name)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Detail)
	return b.String()
}

// ValueError is a value that does not fit the template it is given to.
type ValueError struct {
	Path    []string // names, and indexes of lists, from the outermost
	Missing bool
	Detail  string
}

// Error implements error.
func (e *ValueError) Error() string { return strings.Join(e.Path, ".") + " " + e.Detail }

// LimitError is a rendering that was broken off. Late is one for its time alone, which a
// process that stands still uses up as well.
type LimitError struct {
	Detail string
	Late   bool
}

// Error implements error.
func (e *LimitError) Error() string { return e.Detail }

// fault is what is wrong at an offset of one text.
type fault struct {
	at     int // -1: at no one place
	detail string
}

func (f *fault) Error() string { return f.detail }

func faultf(at int, format string, args ...any) error {
	return &fault{at: at, detail: fmt.Sprintf(format, args...)}
}

// place turns an offset into a line and a column.
func place(text string, at int) (line, column int) {
	if at < 0 || at > len(text) {
		return 0, 0
	}
	before := text[:at]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}
