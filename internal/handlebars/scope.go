package handlebars

import (
	"context"
	"encoding/json"
	"errors"
	htmltemplate "html/template"
	"strconv"
	"time"
)

const (
	// MaxTime is how long one mail may take to render.
	MaxTime = time.Second
	// MaxOutput is the length of what is rendered in bytes, all forms together.
	MaxOutput = 1 << 20
	// MaxWork counts values shown, conditions asked, elements looped over and
	// texts included, and values by their length. It ends a rendering at the
	// same place on every machine, and most of them long before MaxTime.
	MaxWork = 200_000
	// chunk is the length of a value that counts as one piece of work more.
	chunk = 256
)

// errProbe ends the run that only has the Go form checked.
var errProbe = errors.New("probe")

// run is one rendering.
type run struct {
	ctx   context.Context
	until time.Time
	work  int  // what is left
	room  int  // bytes of output that are left
	last  site // of the tag that runs
	probe bool
}

// site is where a tag stands.
type site struct {
	*program
	spot
}

func (s site) place() Place {
	if s.program == nil {
		return Place{}
	}
	return s.program.place(s.spot)
}

func (r *run) limit(detail string) *LimitError {
	return &LimitError{Detail: detail, Place: r.last.place()}
}

// spend takes from what the rendering may cost.
func (r *run) spend(n int) error {
	switch {
	case r.probe:
		return errProbe
	case n > r.work:
		r.work = 0
		return r.limit("has too much to do: more than " + strconv.Itoa(MaxWork) + " values, conditions and elements")
	}
	r.work -= n
	return r.timely()
}

func (r *run) timely() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if time.Now().After(r.until) {
		late := r.limit("takes longer than " + MaxTime.String())
		late.Late = true
		return late
	}
	return nil
}

// scope is where names are looked up: the variables, or an element of a loop.
// Its methods are all that a Go form can call.
type scope struct {
	*run
	*program
	value  any
	parent *scope

	// Of an element: the list it is from, and where in it.
	list         path
	index, count int
}

// begin notes which tag runs.
func (s *scope) begin(at spot) { s.last = site{s.program, at} }

// misfit is a value that the tag at a path cannot use.
func (s *scope) misfit(p path, detail string) *ValueError {
	return &ValueError{Place: s.place(p.spot), Path: s.trail(p), Detail: detail}
}

// Show is the value of a path for output. What cannot be shown is an error, so
// that no mail goes out with a hole in it.
func (s *scope) Show(n int) (any, error) {
	p := s.paths[n]
	value, err := s.find(p)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case nil:
		missing := s.misfit(p, "is not given, and the template shows it")
		missing.Missing = true
		return nil, missing
	case string:
		return v, s.spend(len(v) / chunk)
	case json.Number, bool, int:
		return v, nil
	case []any:
		return nil, s.misfit(p, "is a list; it can be looped over with {{#each}}, not shown")
	}
	return nil, s.misfit(p, "is an object; its members can be shown, not itself")
}

// Is reports whether a path has a value that is not false, empty or zero. An
// object always counts.
func (s *scope) Is(n int) (bool, error) {
	value, err := s.find(s.paths[n])
	switch v := value.(type) {
	case nil:
		return false, err
	case string:
		return v != "", err
	case bool:
		return v, err
	case int:
		return v != 0, err
	case json.Number:
		f, _ := v.Float64()
		return f != 0, err
	case []any:
		return len(v) > 0, err
	}
	return true, err
}

// IsNot is the contrary of Is.
func (s *scope) IsNot(n int) (bool, error) {
	is, err := s.Is(n)
	return !is, err
}

// Each makes a scope for every element of a list. What is not there is an empty
// list. All elements are paid for at once, so that a body without anything in it
// costs too.
func (s *scope) Each(n int) ([]*scope, error) {
	p := s.paths[n]
	value, err := s.find(p)
	if err != nil || value == nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, s.misfit(p, "is not a list, and the template loops over it")
	}
	if err := s.spend(len(list)); err != nil {
		return nil, err
	}
	scopes := make([]*scope, len(list))
	for i, element := range list {
		scopes[i] = &scope{run: s.run, program: s.program, value: element, parent: s, list: p, index: i, count: len(list)}
	}
	return scopes, nil
}

// Enter is the scope for an included text: the one that it is included in.
func (s *scope) Enter(n int) (*scope, error) {
	s.begin(s.entries[n])
	return s, s.spend(1)
}

// Raw is a piece of the template itself.
func (s *scope) Raw(n int) (htmltemplate.HTML, error) {
	s.begin(s.raws[n].spot)
	return s.raws[n].html, s.spend(1)
}

// find is the value of a path, or nil where there is none.
func (s *scope) find(p path) (any, error) {
	s.begin(p.spot)
	if err := s.spend(1); err != nil {
		return nil, err
	}
	from := s.start(p)
	if from == nil {
		return nil, nil
	}
	if p.own != "" {
		return from.told(p.own), nil
	}
	value := from.value
	for _, name := range p.names {
		value = member(value, name)
	}
	return value, nil
}

// start is the scope that a path begins in; nil: there are not so many.
func (s *scope) start(p path) *scope {
	from := s
	for p.root && from.parent != nil {
		from = from.parent
	}
	for range p.up {
		if from = from.parent; from == nil {
			return nil
		}
	}
	return from
}

// told is what a loop tells beside its element.
func (s *scope) told(word string) any {
	switch {
	case s.parent == nil:
		return nil
	case word == "index":
		return s.index
	case word == "first":
		return s.index == 0
	}
	return s.index == s.count-1
}

func member(value any, name string) any {
	switch v := value.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// trail is where a path leads, from the variables on.
func (s *scope) trail(p path) []string {
	from := s.start(p)
	var steps []string
	if from != nil && from.parent != nil {
		steps = append(from.parent.trail(from.list), strconv.Itoa(from.index))
	}
	if p.own != "" {
		return append(steps, "@"+p.own)
	}
	return append(steps, p.names...)
}
