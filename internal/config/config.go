// Package config reads the settings of every program from the environment.
//
// Each setting is declared once, in a section struct, with its default and one
// sentence of meaning beside it; a program is a struct of sections. What is
// printed at start, the names that are known, and docs/configuration.md are all
// made from these structs.
//
// A setting that is wrong, unknown or missing stops the start: Load finds every
// fault at once, and each names the setting, what is wrong and what to do. No
// secret ever stands in a fault or in what is printed.
package config

//go:generate go test . -run TestReferencePage -update

import (
	"errors"
	"os"
	"reflect"
	"time"

	"github.com/kelseyhightower/envconfig"
)

const prefix = "POSTRIDER"

// Program is one of the structs of this package that stand for a program:
// *Producer, *Consumer, *Serve, *Dev, *Migrate and *Client.
type Program interface {
	// Effective lists what Load read, to be printed.
	Effective() []Setting

	name() string
	check(*faults) // what must hold between settings, after each was read
	origin() *Origin
}

// Load fills the program's settings from the process environment, and from the
// files that NAME_FILE settings name. The error is an *Error with every fault
// found.
func Load(p Program) error {
	var found faults
	unknownNames(os.Environ(), &found)
	for _, s := range settingsOf(p) {
		source := s.read(&found)
		p.origin().list = append(p.origin().list, Setting{Name: s.key, Value: s.shown(), Source: source})
	}
	p.check(&found)
	return found.err(p.name())
}

// Where a value came from, as printed.
const (
	fromDefault     = "default"
	fromEnvironment = "environment"
	fromNowhere     = "not set"
)

// read sets the field and says where its value came from.
func (s setting) read(found *faults) string {
	path, inFile := os.LookupEnv(s.key + fileSuffix)
	value, inEnv := os.LookupEnv(s.key)
	switch {
	case s.secret() && inFile && inEnv:
		found.add(s.key, "is set, and so is "+s.key+fileSuffix, "unset one of the two")
		return fromEnvironment
	case s.secret() && inFile:
		s.readFile(path, found)
		return "file " + path
	case inEnv && value == "" && s.fallback != "":
		found.add(s.key, "is empty", "unset it to get the default "+s.fallback+", or give a value")
		return fromEnvironment
	}
	s.decode(found)
	switch {
	case inEnv:
		return fromEnvironment
	case s.fallback != "":
		return fromDefault
	}
	return fromNowhere
}

// decode has envconfig look the setting up and convert it. Envconfig stops at
// its first fault, so it is given one field at a time.
func (s setting) decode(found *faults) {
	one := s.alone()
	if err := envconfig.Process(s.prefix, one.Interface()); err != nil {
		cause := causeOf(err)
		found.add(s.key, s.problem(cause), s.remedy(cause))
		return
	}
	s.value.Set(one.Elem().Field(0))
	s.checkTags(found)
}

// causeOf takes the fault out of envconfig's error, which quotes the value and
// does not unwrap.
func causeOf(err error) error {
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return parse.Err
	}
	return err
}

func (s setting) problem(err error) string {
	if bad, ok := errors.AsType[*badValue](err); ok {
		return bad.problem
	}
	if _, ok := s.value.Interface().(time.Duration); ok {
		return "is not a duration"
	}
	return "is not a whole number"
}

func (s setting) remedy(err error) string {
	if bad, ok := errors.AsType[*badValue](err); ok {
		return bad.remedy
	}
	if _, ok := s.value.Interface().(time.Duration); ok {
		return "write a number with its unit, such as " + s.fallback
	}
	return "write digits, such as " + s.fallback
}

// alone returns a new struct that holds nothing but this setting, with the
// default it has in this program.
func (s setting) alone() reflect.Value {
	field := reflect.StructField{Name: s.field.Name, Type: s.field.Type, Tag: s.lookupTag()}
	return reflect.New(reflect.StructOf([]reflect.StructField{field}))
}
