package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postrider/postrider/internal/message"
)

const (
	// maxDepth is far beyond what a request needs: 5, for the bytes of an
	// attachment.
	maxDepth = 16
	// maxTokens bounds names, values and brackets, the bytes of attachments
	// not counted. The parser remembers every name of an object to find
	// duplicates, and that must not grow with the body.
	maxTokens = 20_000
	// maxNameBytes bounds one name as it is written.
	maxNameBytes = 8 << 10
)

// reader walks one JSON text. Faults of single fields are collected, and
// reading goes on; an error returned by a method ends it.
type reader struct {
	dec    *jsontext.Decoder
	body   []byte
	faults message.Faults
	tokens int
	most   int // tokens
	within int // steps above what is read, which pointers leave out
}

// newReader takes the whole body into memory, because a single string can be
// nearly all of it. The parser works in that memory and copies nothing.
func newReader(r io.Reader, limit int64) (*reader, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, broken(message.CodeBodyTooLarge, "", fmt.Sprintf("the body is longer than %d bytes", limit))
	}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return nil, broken(message.CodeInvalidJSON, "", "the body begins with a byte order mark")
	}
	return &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(body)), body: body, most: maxTokens}, nil
}

// document reads a text that is one object and nothing else.
func (r *reader) document(member func(name string) error) error {
	return r.sole('{', "object", func() error { return r.object(member) })
}

// sole reads a text that is one value of the kind and nothing else.
func (r *reader) sole(kind jsontext.Kind, name string, read func() error) error {
	switch r.dec.PeekKind() {
	case kind:
		if err := read(); err != nil {
			return err
		}
		return r.end(name)
	case jsontext.KindInvalid:
		_, err := r.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return broken(message.CodeInvalidJSON, "", "the body is empty")
		}
		return syntax(err)
	}
	if err := r.skip(); err != nil {
		return err
	}
	return broken(message.CodeInvalidJSON, "", "the body must be a JSON "+name)
}

func (r *reader) end(name string) error {
	at := r.dec.InputOffset()
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return broken(message.CodeInvalidJSON, "", fmt.Sprintf("the body goes on after the %s that ends at byte %d", name, at))
	}
	return nil
}

// object calls member for each name of the object that comes next; member
// reads the value.
func (r *reader) object(member func(name string) error) error {
	if _, err := r.next(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		if err := r.member(member); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

func (r *reader) member(read func(name string) error) error {
	raw, err := r.raw()
	if err != nil {
		return err
	}
	if len(raw) > maxNameBytes {
		// Not r.fault: to tell its place is to copy the name several times.
		r.faults.Add("", message.CodeTooLarge, fmt.Sprintf("the name that ends at byte %d is too long", r.dec.InputOffset()))
		return errStop
	}
	name := string(unquote(raw))
	if strings.IndexByte(name, 0) >= 0 {
		return r.refuse(message.CodeInvalidField, "must not have NUL in its name")
	}
	return read(name)
}

// array calls element for each element of the array that comes next; element
// reads it.
func (r *reader) array(element func(i int) error) error {
	if _, err := r.next(); err != nil {
		return err
	}
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

// text reads a string; null is the same as absent, and anything else is a
// fault.
func (r *reader) text() (s string, ok bool, err error) {
	switch r.dec.PeekKind() {
	case '"':
		return r.string()
	case 'n':
		_, err := r.next()
		return "", false, err
	}
	return "", false, r.refuse(message.CodeInvalidField, "must be a string")
}

// string reads a string that comes next.
func (r *reader) string() (s string, ok bool, err error) {
	raw, err := r.raw()
	if err != nil {
		return "", false, err
	}
	s = string(unquote(raw))
	if strings.IndexByte(s, 0) >= 0 {
		r.fault(message.CodeInvalidField, "must not contain NUL")
		return "", false, nil
	}
	return s, true, nil
}

// unquote returns what a string says. Where nothing in it is escaped, that is
// the body's own memory, good until the next read.
func unquote(raw jsontext.Value) []byte {
	if body := raw[1 : len(raw)-1]; bytes.IndexByte(body, '\\') < 0 {
		return body
	}
	plain, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return plain
}

// refuse reads whatever comes next and notes a fault at its place.
func (r *reader) refuse(code message.Code, detail string) error {
	if err := r.skip(); err != nil {
		return err
	}
	r.fault(code, detail)
	return nil
}

// fault notes a fault at the place of the value that was read last.
func (r *reader) fault(code message.Code, detail string) {
	r.faults.Add(r.pointer(), code, detail)
}

// pointer is where the reader stands. Names that a caller made up are cut.
func (r *reader) pointer() string {
	steps := slices.Collect(r.dec.StackPointer().Tokens())
	return message.Pointer(steps[min(r.within, len(steps)):]...)
}

// skip reads the value that comes next, token by token so that depth and
// number are bounded.
func (r *reader) skip() error {
	for depth := r.dec.StackDepth(); ; {
		if _, err := r.next(); err != nil {
			return err
		}
		if r.dec.StackDepth() <= depth {
			return nil
		}
	}
}

func (r *reader) next() (jsontext.Token, error) {
	token, err := r.dec.ReadToken()
	if err != nil {
		return token, syntax(err)
	}
	return token, r.count()
}

// raw reads a value of one token as it is written. It is good until the next
// read.
func (r *reader) raw() (jsontext.Value, error) {
	value, err := r.dec.ReadValue()
	if err != nil {
		return nil, syntax(err)
	}
	return value, r.count()
}

func (r *reader) count() error {
	if r.faults.Full() {
		r.tokens++
		return errStop
	}
	return r.spend()
}

// spend holds what was read to the limits of number and depth.
func (r *reader) spend() error {
	r.tokens++
	if r.tokens > r.most {
		r.fault(message.CodeTooLarge, "there are too many names and values up to here")
		return errStop
	}
	if r.dec.StackDepth() > maxDepth {
		return broken(message.CodeTooDeep, "", "objects and arrays must not be nested deeper than "+strconv.Itoa(maxDepth))
	}
	return nil
}

// errStop ends reading; the faults noted so far are the answer.
var errStop = errors.New("reading was given up")

// syntax says in our words why a text is not JSON.
func syntax(err error) error {
	var s *jsontext.SyntacticError
	if !errors.As(err, &s) {
		return broken(message.CodeInvalidJSON, "", "the body ends too early")
	}
	pointer := message.Pointer(slices.Collect(s.JSONPointer.Tokens())...)
	if errors.Is(s.Err, jsontext.ErrDuplicateName) {
		return broken(message.CodeDuplicateKey, pointer, "a name is given twice in one object")
	}
	return broken(message.CodeInvalidJSON, pointer, fmt.Sprintf("%v at byte %d", s.Err, s.ByteOffset))
}

// broken is the error for a body that cannot be read as JSON.
func broken(code message.Code, pointer, detail string) error {
	return &message.Error{
		Code: code, Detail: detail,
		Fields: []message.FieldError{{Pointer: pointer, Code: code, Detail: detail}},
	}
}
