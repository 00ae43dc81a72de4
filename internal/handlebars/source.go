package handlebars

import (
	"errors"
	"fmt"
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
	// maxWeight bounds what it costs to find the place of every value in the
	// HTML: the tags and texts, those in loops and includes as often as they are
	// looked at.
	maxWeight = 200_000
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

// Includes lists the names that a part includes in either form, each once. An
// error is an *Error.
func Includes(part Part) ([]string, error) {
	var names []string
	for _, form := range []struct{ name, text string }{{"html", part.HTML}, {"text", part.Text}} {
		nodes, err := parse(form.text, true)
		if err != nil {
			return nil, located(form.name, "", form.text, err)
		}
		for _, inc := range includes(nodes) {
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
	line, column := place(text, f.at)
	return &Error{Part: part, Name: name, Line: line, Column: column, Detail: f.detail}
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
	if t.weigh(t.entry, map[string]int{}) > maxWeight {
		return nil, &Error{Part: part, Detail: "has too many tags in loops and includes within each other"}
	}
	return t, nil
}

// weigh is what it costs to compile a text with all that it includes: a loop is
// gone through twice, and what is included counts where it is. It stops growing
// beyond maxWeight.
func (t *tree) weigh(name string, known map[string]int) int {
	if n, ok := known[name]; ok {
		return n
	}
	var list func([]node) int
	list = func(nodes []node) int {
		sum := len(nodes)
		for _, n := range nodes {
			switch n := n.(type) {
			case branch:
				sum += list(n.then) + list(n.otherwise)
			case loop:
				sum += 2*list(n.body) + list(n.otherwise)
			case include:
				sum += t.weigh(t.target(name, n), known)
			}
			sum = min(sum, maxWeight+1)
		}
		return sum
	}
	known[name] = list(t.nodes[name])
	return known[name]
}

// shown is the name of a text in errors.
func shown(name string) string {
	if name == bodyName {
		return ""
	}
	return strings.TrimPrefix(name, ":")
}

// reach parses the text and all that it includes. Stack is the way to it.
func (t *tree) reach(name string, stack []string) error {
	nodes, err := parse(t.texts[name], name != t.entry && name != bodyName)
	if err != nil {
		return located(t.part, shown(name), t.texts[name], err)
	}
	t.nodes[name], t.order = nodes, append(t.order, name)
	t.total += len(t.texts[name])
	if len(t.order) > maxIncludes || t.total > maxTotal {
		return &Error{Part: t.part, Detail: fmt.Sprintf(
			"is made of more than %d texts or %d bytes, all includes counted", maxIncludes, maxTotal)}
	}
	stack = append(stack, name)
	for _, inc := range includes(nodes) {
		if err := t.follow(inc, stack); err != nil {
			return located(t.part, shown(name), t.texts[name], err)
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
	switch {
	case inc.name == Content && name != bodyName:
		return faultf(inc.at, "{{> content}} has a meaning only in a layout")
	case !known:
		return faultf(inc.at, "there is no partial %q", clip(inc.name))
	case text == "":
		return faultf(inc.at, "the partial %q has no %s", clip(inc.name), t.part)
	case slices.Contains(stack, name):
		return faultf(inc.at, "%q includes itself: %s", clip(inc.name), way(append(stack, name)))
	case len(stack) > maxInclusion:
		return faultf(inc.at, "includes may be nested %d deep at most", maxInclusion)
	}
	if _, done := t.nodes[name]; done {
		return t.measure(name, stack)
	}
	return t.reach(name, stack)
}

// measure looks for cycles and depth behind a text that was reached before by
// another way. The number of ways can grow with the power of the depth, so it
// is enough to ask each text once for how deep it goes.
func (t *tree) measure(name string, stack []string) error {
	if deep := len(stack) + t.depth(name, map[string]int{}); deep > maxInclusion+1 {
		return &Error{Part: t.part, Detail: fmt.Sprintf("includes may be nested %d deep at most", maxInclusion)}
	}
	return nil
}

// depth is the number of texts on the longest way down from one that has been
// reached, and so has no cycle below it.
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
