package handlebars

import (
	"errors"
	htmltemplate "html/template"
	"sort"
	"strconv"
	"strings"
)

// maxTraced bounds the tags and texts of a form in which the place of a fault is searched
// for, since the search compiles the form some twenty times. Beyond it the place is guessed
// from what html/template quotes.
const maxTraced = 20_000

// seam keeps two texts apart that html/template would else read as one.
type seam struct{}

// trace finds where html/template refuses literal text, of which it does not tell the
// place: at the end of the shortest beginning of the mail that it refuses likewise.
// It reads from front to back, so that what follows takes no fault away. What it takes
// for unfinished can also be so where such a beginning ends; that place is then an
// earlier one of the same kind.
func (t *tree) trace(e *htmltemplate.Error) (name string, at int) {
	all, ok := t.together()
	if !ok {
		return t.quoted(e.Description)
	}
	length := maxTotal - cutAt(all, maxTotal).left
	n := sort.Search(length, func(n int) bool {
		return sameFault(e, t.refusal(cutAt(all, n+1).kept))
	})
	if n == length { // not refused, all put together
		return t.quoted(e.Description)
	}
	last := cutAt(all, n+1).last
	return last.in, last.at + len(last.text) - 1
}

// together is the whole form as one text, unless that would be too much.
func (t *tree) together() (all []node, ok bool) {
	if (scale{t, map[string]int{}}).text(t.entry) > maxTraced {
		return nil, false
	}
	all = t.flat(t.entry)
	return all, cutAt(all, maxTotal).left > 0
}

// alone is a form of one text.
func (t *tree) alone(nodes []node) *tree {
	return &tree{part: t.part, entry: bodyName, nodes: map[string][]node{bodyName: nodes}, order: []string{bodyName}}
}

// flat is a text with all that it includes in its place.
func (t *tree) flat(name string) []node {
	var list func([]node) []node
	list = func(nodes []node) []node {
		var all []node
		for _, n := range nodes {
			switch n := n.(type) {
			case literal:
				n.in = name
				all = append(all, n)
			case show:
				n.path.in = name
				all = append(all, n)
			case branch:
				n.path.in = name
				n.then, n.otherwise = list(n.then), list(n.otherwise)
				all = append(all, n)
			case loop:
				n.path.in = name
				n.body, n.otherwise = list(n.body), list(n.otherwise)
				all = append(all, n)
			case include:
				all = append(append(append(all, seam{}), t.flat(t.target(name, n))...), seam{})
			default:
				all = append(all, n)
			}
		}
		return all
	}
	return list(t.nodes[name])
}

// cutter takes as much of a text as has so many bytes of literal text.
type cutter struct {
	left int
	kept []node
	last literal // that was taken, as much of it as was
}

func cutAt(nodes []node, length int) cutter {
	c := cutter{left: length}
	c.kept = c.cut(nodes)
	return c
}

func (c *cutter) cut(nodes []node) []node {
	var kept []node
	for _, n := range nodes {
		if c.left <= 0 {
			break
		}
		switch n := n.(type) {
		case literal:
			n.text = n.text[:min(len(n.text), c.left)]
			c.left -= len(n.text)
			c.last = n
			kept = append(kept, n)
		case branch:
			n.then, n.otherwise = c.cut(n.then), c.cut(n.otherwise)
			kept = append(kept, n)
		case loop:
			n.body, n.otherwise = c.cut(n.body), c.cut(n.otherwise)
			kept = append(kept, n)
		default:
			kept = append(kept, n)
		}
	}
	return kept
}

// refusal is why html/template refuses a text, or nil.
func (t *tree) refusal(nodes []node) *htmltemplate.Error {
	_, _, err := t.alone(nodes).escape(&compiled{program: &program{}, part: t.part})
	refused, _ := errors.AsType[*htmltemplate.Error](err)
	return refused
}

// sameFault reports whether both are of one kind. What they quote of the text differs.
func sameFault(a, b *htmltemplate.Error) bool {
	if b == nil || b.Node != nil || a.ErrorCode != b.ErrorCode {
		return false
	}
	says, _ := quotation(a.Description)
	likewise, _ := quotation(b.Description)
	return says == likewise
}

// quotation parts what html/template says from the piece of text that it quotes at
// the end.
func quotation(description string) (says, piece string) {
	for start := 0; ; start++ {
		more := strings.Index(description[start:], ` "`)
		if more < 0 {
			return description, ""
		}
		start += more
		if piece, err := strconv.Unquote(description[start+1:]); err == nil {
			return description[:start+1], piece
		}
	}
}

// quoted finds the first text, and the place in it, that has the piece which
// html/template quotes.
func (t *tree) quoted(description string) (name string, at int) {
	_, piece := quotation(description)
	for _, name := range t.order {
		if at := strings.Index(t.texts[name], piece); at >= 0 && piece != "" {
			return name, at
		}
	}
	return t.entry, -1
}
