package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxFaults bounds the list in one answer: enough to repair a request by, too
// few to make a hostile one costly to answer.
const maxFaults = 100

// Faults collects what is wrong in the fields of one request. The zero value is
// ready to use; it keeps the first 100. Not safe for concurrent use.
type Faults struct{ list []FieldError }

// Add notes a fault. The pointer is made by Pointer, or follows RFC 6901.
func (f *Faults) Add(pointer string, code Code, detail string) {
	if !f.Full() {
		f.list = append(f.list, FieldError{Pointer: pointer, Code: code, Detail: detail})
	}
}

// AddAt notes the faults of a part of the request that stands at the pointer.
func (f *Faults) AddAt(pointer string, e *Error) {
	for _, fault := range e.Fields {
		f.Add(pointer+fault.Pointer, fault.Code, fault.Detail)
	}
}

// Full reports whether further faults are no longer kept.
func (f *Faults) Full() bool { return len(f.list) >= maxFaults }

// At reports whether a fault was noted at the pointer or at a place above it.
func (f *Faults) At(pointer string) bool {
	for i := range f.list {
		if rest, ok := strings.CutPrefix(pointer, f.list[i].Pointer); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// Join notes the faults of an *Error with CodeValidation where none is noted yet,
// and returns any other error.
func (f *Faults) Join(err error) error {
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != CodeValidation {
		return err
	}
	for _, fault := range refused.Fields {
		if !f.At(fault.Pointer) {
			f.Add(fault.Pointer, fault.Code, fault.Detail)
		}
	}
	return nil
}

// Err returns an *Error of CodeValidation with everything noted, or nil where
// nothing was.
func (f *Faults) Err() error {
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return &Error{Code: CodeValidation, Detail: "1 field is not right", Fields: f.list}
	}
	return &Error{Code: CodeValidation, Detail: fmt.Sprintf("%d fields are not right", len(f.list)), Fields: f.list}
}

// Pointer returns the RFC 6901 pointer to a place in a request. A step longer
// than 100 bytes is cut: it can only be a name that the caller made up, and the
// answer must not grow with it.
func Pointer(steps ...string) string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, step := range steps {
		b.WriteByte('/')
		b.WriteString(escape.Replace(cut(step, 100)))
	}
	return b.String()
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
