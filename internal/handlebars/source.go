package handlebars

import (
	"errors"
	"slices"
	"strings"
)

// Content is the name by which a layout includes the text that it is laid
// around.
const Content = "content"

const (
	// maxIncludes bounds the different texts one mail is made of.
	maxIncludes = 50
	// maxInclusion bounds how deep includes lie in each other.
	maxInclusion = 8
	// maxTotal bounds those texts together, in bytes.
	maxTotal = 1 << 20
)

// Part is one piece of a mail in both forms. A form that is "" is not there.
type Part struct {
	HTML string
	Text string
}

// Source is everything one mail is made from.
type Source struct {
	Subject  string // without includes
	Body     Part
	Layout   *Part           // nil: none. It includes the body as Content
	Partials map[string]Part // by the names that {{> name}} says
}

// Includes lists the names that a part includes in either form, each once, up to more
// than one mail may have: what has so many is refused by Compile. An error is an *Error.
func Includes(part Part) ([]string, error) {
	var names []string
	for _, form := range []struct{ name, text string }{{"html", part.HTML}, {"text", part.Text}} {
		nodes, err := parse(form.text, true)
		if err != nil {
			return nil, located(form.name, "", form.text, err)
		}
		list := includes(nodes)
		for _, inc := range list[:min(len(list), maxIncludes+1)] {
			if !slices.Contains(names, inc.name) {
				names = append(names, inc.name)
			}
		}
	}
	return names, nil
}

// located says where a fault is.
func located(part, name, text string, err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	line, column := position(text, f.at)
	return &Error{Place: Place{Part: part, Name: name, Line: line, Column: column}, Detail: f.detail}
}

// The names of texts within one form. A partial has its own with a colon before
// it, so that none can be taken for these.
const (
	bodyName   = "body"
	layoutName = "layout"
	setName    = "" // of the Go templates together
)

// tree is the texts that one form of a mail is made of, parsed.
type tree struct {
	part  string // subject, html or text
	entry string
	texts map[string]string
	nodes map[string][]node
	order []string // as they were reached
	total int

	effort map[spot]int // of literals, in bytes that html/template looks through; nil: not known yet
}

// form gathers the texts of one form. It is nil where the body has none.
func (s *Source) form(part string, of func(Part) string) (*tree, error) {
	t := &tree{part: part, entry: bodyName, texts: map[string]string{bodyName: of(s.Body)}, nodes: map[string][]node{}}
	if t.texts[bodyName] == "" {
		return nil, nil
	}
	if s.Layout != nil && of(*s.Layout) != "" {
		t.entry, t.texts[layoutName] = layoutName, of(*s.Layout)
	}
	for name, partial := range s.Partials {
		t.texts[":"+name] = of(partial)
	}
	if err := t.reach(t.entry, nil); err != nil || len(t.nodes[t.entry]) == 0 {
		return nil, err
	}
	if at := (scale{t, map[string]int{}}).heavy(t.entry); at >= 0 {
		return nil, t.located(t.entry, faultf(at, "up to here are too many tags in loops and includes within each other"))
	}
	return t, nil
}

// located says where a fault of one of the texts is.
func (t *tree) located(name string, err error) error {
	return located(t.part, shown(name), t.texts[name], err)
}

// shown is the name of a text in errors.
func shown(name string) string {
	switch name {
	case bodyName:
		return ""
	case layoutName:
		return Layout
	}
	return strings.TrimPrefix(name, ":")
}

// reach parses the text and all that it includes. Stack is the way to it.
func (t *tree) reach(name string, stack []string) error {
	nodes, err := parse(t.texts[name], name != t.entry && name != bodyName)
	if err != nil {
		return t.located(name, err)
	}
	t.nodes[name], t.order = nodes, append(t.order, name)
	t.total += len(t.texts[name])
	stack = append(stack, name)
	for _, inc := range includes(nodes) {
		if err := t.follow(inc, stack); err != nil {
			return t.located(name, err)
		}
	}
	return nil
}

// target is the text that an include means where it stands.
func (t *tree) target(from string, inc include) string {
	if inc.name == Content && from == layoutName {
		return bodyName
	}
	return ":" + inc.name
}

func (t *tree) follow(inc include, stack []string) error {
	name := t.target(stack[len(stack)-1], inc)
	text, known := t.texts[name]
	_, done := t.nodes[name]
	switch {
	case inc.name == Content && name != bodyName:
		return faultf(inc.at, "{{> content}} has a meaning only in a layout")
	case !known:
		return faultf(inc.at, "there is no partial %q", clip(inc.name))
	case text == "":
		return faultf(inc.at, "the partial %q has no %s", clip(inc.name), t.part)
	case slices.Contains(stack, name):
		return faultf(inc.at, "%q includes itself: %s", clip(inc.name), way(append(stack, name)))
	case len(stack) > maxInclusion, done && len(stack)+t.depth(name, map[string]int{}) > maxInclusion+1:
		return faultf(inc.at, "includes may be nested %d deep at most", maxInclusion)
	case done:
		return nil
	case len(t.order) >= maxIncludes || t.total+len(text) > maxTotal:
		return faultf(inc.at, "with this the mail is made of more than %d texts or %d bytes, all includes counted", maxIncludes, maxTotal)
	}
	return t.reach(name, stack)
}

// depth is the number of texts on the longest way down from one that has been
// reached, and so has no cycle below it. Of a text that was reached before by
// another way it is enough to know this: the number of ways can grow with the power
// of the depth.
func (t *tree) depth(name string, known map[string]int) int {
	if n, ok := known[name]; ok {
		return n
	}
	known[name] = 1
	for _, inc := range includes(t.nodes[name]) {
		known[name] = max(known[name], 1+t.depth(t.target(name, inc), known))
	}
	return known[name]
}

func way(stack []string) string {
	names := make([]string, len(stack))
	for i, name := range stack {
		names[i] = strings.TrimPrefix(name, ":")
	}
	return strings.Join(names, " → ")
}
