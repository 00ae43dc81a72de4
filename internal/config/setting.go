package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// setting is one field of a section within a program.
//
// Its tags: default and, where a program differs, the program's name; desc, the
// sentence shown in the reference; min and max, the bounds of a number or
// duration; oneof, the words a string may be; secret, so that NAME_FILE works
// and the value is never shown.
type setting struct {
	key      string // POSTRIDER_…
	prefix   string // what envconfig puts before the field's name
	section  section
	field    reflect.StructField
	value    reflect.Value // the field itself, settable
	fallback string        // its default in this program; "": none
}

// section is a group of settings that belong together.
type section interface {
	about() (title, text string)
}

// settingsOf lists the settings of a program in the order of its fields.
func settingsOf(p Program) []setting {
	return walk(nil, nil, reflect.ValueOf(p).Elem(), prefix, p.name())
}

func walk(list []setting, in section, v reflect.Value, prefix, program string) []setting {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		switch inner, isSection := value.Interface().(section); {
		case field.Type == reflect.TypeFor[Origin]():
		case isSection && field.Anonymous:
			list = walk(list, inner, value, prefix, program)
		case isSection:
			list = walk(list, inner, value, prefix+"_"+strings.ToUpper(field.Name), program)
		default:
			list = append(list, newSetting(in, field, value, prefix, program))
		}
	}
	return list
}

func newSetting(in section, field reflect.StructField, value reflect.Value, prefix, program string) setting {
	s := setting{prefix: prefix, section: in, field: field, value: value}
	s.fallback = field.Tag.Get("default")
	if own, ok := field.Tag.Lookup(program); ok {
		s.fallback = own
	}
	s.key = s.envconfigKey()
	return s
}

// envconfigKey asks envconfig for the name it will look up. Its only door to
// that is the template of its usage text.
func (s setting) envconfigKey() string {
	var key strings.Builder
	if err := envconfig.Usagef(s.prefix, s.alone().Interface(), &key, "{{range .}}{{.Key}}{{end}}"); err != nil {
		panic(fmt.Sprintf("config: field %s: %v", s.field.Name, err)) // a fault of the declaration
	}
	return key.String()
}

// lookupTag is the tag that envconfig sees. It has no name of its own in it:
// envconfig would then also look for that name without the prefix.
func (s setting) lookupTag() reflect.StructTag {
	return reflect.StructTag(`split_words:"true" default:` + strconv.Quote(s.fallback))
}

func (s setting) secret() bool { return s.field.Tag.Get("secret") == "true" }

func (s setting) desc() string { return s.field.Tag.Get("desc") }

// shown is the value as it may be printed: the types of secret settings hide
// what is secret in their String.
func (s setting) shown() string { return fmt.Sprint(s.value.Interface()) }

// checkTags holds the value against the bounds and words of its tags.
func (s setting) checkTags(found *faults) {
	if words := s.field.Tag.Get("oneof"); words != "" {
		s.checkWord(strings.Split(words, "|"), found)
	}
	low, high := s.field.Tag.Get("min"), s.field.Tag.Get("max")
	if low != "" && (s.below(low) || s.above(high)) {
		found.add(s.key, "is "+s.shown(), "give a value from "+low+" to "+high)
	}
}

func (s setting) checkWord(words []string, found *faults) {
	for _, w := range words {
		if s.value.String() == w {
			return
		}
	}
	found.add(s.key, fmt.Sprintf("is %q", s.value.String()), "write one of "+strings.Join(words, ", "))
}

func (s setting) below(bound string) bool { return s.value.Int() < s.bound(bound) }
func (s setting) above(bound string) bool { return s.value.Int() > s.bound(bound) }

// bound reads a bound of the declaration in the unit of the field.
func (s setting) bound(text string) int64 {
	if _, ok := s.value.Interface().(time.Duration); ok {
		d, err := time.ParseDuration(text)
		mustDeclare(s, err)
		return int64(d)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	mustDeclare(s, err)
	return n
}

// mustDeclare stops on a tag that cannot be read: the tests read every tag, so
// no user ever sees it.
func mustDeclare(s setting, err error) {
	if err != nil {
		panic(fmt.Sprintf("config: the tags of %s: %v", s.key, err))
	}
}
