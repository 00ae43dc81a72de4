package message

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestARefusalSaysAllInOneStringOfBoundedLength(t *testing.T) {
	e := &Error{Detail: "2 fields are not right", Fields: []FieldError{{Pointer: "/to/0", Detail: "no address"}, {Pointer: "", Detail: "too large"}}}
	if got := Refuse(3, e); got.Index != 3 || got.Message != "/to/0: no address; too large" {
		t.Errorf("%+v", got)
	}
	if got := Refuse(0, &Error{Detail: "no"}); got.Message != "no" {
		t.Errorf("%+v", got)
	}
	for range 100 {
		e.Fields = append(e.Fields, FieldError{Pointer: "/x", Detail: strings.Repeat("ü", 500)})
	}
	if got := Refuse(0, e).Message; len(got) > maxRefusal+len("…") || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}
