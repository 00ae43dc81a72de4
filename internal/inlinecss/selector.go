package inlinecss

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

const maxCompounds = 6 // of one selector

// selector is elements within elements; the last is the one that is styled.
type selector []compound

// compound is what one element has to be.
type compound struct {
	name    string // of the element; "": any
	id      string
	classes []string
	child   bool // stands directly in the one before
}

// readSelector reads names, .classes and #ids, one within the other by a blank
// or by >. Anything else is not inlined.
func readSelector(s string) (list selector, weight [3]int, ok bool) {
	child := false
	for _, word := range strings.Fields(strings.ReplaceAll(s, ">", " > ")) {
		if word == ">" {
			if child || len(list) == 0 {
				return nil, weight, false
			}
			child = true
			continue
		}
		c, ok := readCompound(word, &weight)
		if !ok || len(list) == maxCompounds {
			return nil, weight, false
		}
		c.child, child = child, false
		list = append(list, c)
	}
	return list, weight, len(list) > 0 && !child
}

func readCompound(s string, weight *[3]int) (c compound, ok bool) {
	end := strings.IndexAny(s, ".#")
	if end < 0 {
		end = len(s)
	}
	if c.name = strings.ToLower(s[:end]); c.name != "" {
		if !isName(c.name) {
			return c, false
		}
		weight[2]++
	}
	for s = s[end:]; s != ""; {
		mark := s[0]
		end := strings.IndexAny(s[1:], ".#") + 1
		if end == 0 {
			end = len(s)
		}
		name := s[1:end]
		s = s[end:]
		switch {
		case !isName(name) || mark == '#' && c.id != "" || len(c.classes) == maxCompounds:
			return c, false
		case mark == '#':
			c.id = name
			weight[0]++
		default:
			c.classes = append(c.classes, name)
			weight[1]++
		}
	}
	return c, true
}

// isName is a word without anything that has a meaning in selectors.
func isName(s string) bool {
	for _, r := range s {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 0x80 {
			return false
		}
	}
	return s != ""
}

// element is one that is open.
type element struct {
	name    string
	id      string
	classes []string
	size    int // of id and classes, in bytes
}

func elementOf(t *html.Token) element {
	e := element{name: t.Data}
	for _, a := range t.Attr {
		switch a.Key {
		case "id":
			e.id = a.Val
		case "class":
			e.classes = strings.Fields(a.Val)
		default:
			continue
		}
		e.size += len(a.Val)
	}
	return e
}

// lookBytes is how much of an element's id and classes is compared in the time of a look.
const lookBytes = 256

// cost is what it takes to ask whether the element is of the kind, in looks.
func (c *compound) cost(e *element) int { return 1 + (1+len(c.classes))*e.size/lookBytes }

func (c *compound) is(e *element) bool {
	if c.name != "" && c.name != e.name || c.id != "" && c.id != e.id {
		return false
	}
	for _, class := range c.classes {
		if !slices.Contains(e.classes, class) {
			return false
		}
	}
	return true
}

// matches reports whether the selector means the last of the open elements. It
// takes from work every look at an element, by what that has to be compared.
func (s selector) matches(open []element, work *int) bool {
	if len(s) > len(open) || *work <= 0 {
		return false
	}
	last, e := &s[len(s)-1], &open[len(open)-1]
	*work -= last.cost(e)
	if !last.is(e) {
		return false
	}
	if len(s) == 1 {
		return true
	}
	for n := len(open) - 1; n > 0; n-- {
		if s[:len(s)-1].matches(open[:n], work) {
			return true
		}
		if last.child {
			return false
		}
	}
	return false
}
