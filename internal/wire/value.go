package wire

import (
	"encoding/json"
	"strconv"

	"github.com/postrider/postrider/internal/message"
)

// maxNumber is the length of the longest number that is taken as it is written.
const maxNumber = 40

// values reads an object of any values: string, json.Number, bool, []any and
// map[string]any. What is null in it is left out, as if it were not there; in a
// list it keeps its place.
func (r *reader) values() (map[string]any, error) {
	switch r.dec.PeekKind() {
	case '{':
		return r.members()
	case 'n':
		return nil, r.skip()
	}
	return nil, r.refuse(message.CodeInvalidField, "must be an object")
}

func (r *reader) members() (map[string]any, error) {
	values := map[string]any{}
	err := r.object(func(name string) error {
		value, err := r.value()
		if value != nil {
			values[name] = value
		}
		return err
	})
	return values, err
}

// value reads whatever comes next; nil stands for null, and for what was
// refused.
func (r *reader) value() (any, error) {
	switch r.dec.PeekKind() {
	case '{':
		return r.members()
	case '[':
		list := []any{}
		err := r.array(func(int) error {
			value, err := r.value()
			list = append(list, value)
			return err
		})
		return list, err
	case '"':
		if s, ok, err := r.string(); ok || err != nil {
			return s, err
		}
		return nil, nil
	case '0':
		return r.number()
	case 't', 'f':
		token, err := r.next()
		return err == nil && token.Bool(), err
	}
	return nil, r.skip()
}

// number keeps a number as it is written, if it is one that everybody can read.
func (r *reader) number() (any, error) {
	raw, err := r.raw()
	if err != nil {
		return nil, err
	}
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil || len(raw) > maxNumber {
		r.fault(message.CodeInvalidField, "must be a number of at most "+strconv.Itoa(maxNumber)+" digits")
		return nil, nil
	}
	return json.Number(raw), nil
}

// flag reads true or false. Null is false.
func (r *reader) flag() (bool, error) {
	switch r.dec.PeekKind() {
	case 't', 'f':
		token, err := r.next()
		return err == nil && token.Bool(), err
	case 'n':
		return false, r.skip()
	}
	return false, r.refuse(message.CodeInvalidField, "must be true or false")
}
