package handlebars

import (
	"regexp"
	"slices"
	"strings"
)

// maxPoints bounds the points of the HTML that one place of a template can be at.
const maxPoints = 64

const manyWays = "the HTML of this block can be read in too many ways; write names and tags in one piece"

// markup reads the HTML of a form as the program does that shows the mail, along every
// way through its blocks. html/template finds the places of values on the way as well,
// but where two ways meet within a tag, or names are put together of pieces, or a slash
// parts what it takes for one name, it takes a place for another, and escapes a value
// for that one. Such templates are refused.
type markup struct {
	*tree
	conditional *regexp.Regexp
	foreign     bool // somewhere before there is an <svg> or a <math>
	known       map[entry][]point
	fault       error // the first
}

// entry is a text that is come into at a point.
type entry struct {
	text    string
	at      point
	foreign bool
}

// refuse is why a form that html/template has taken is not safe, or nil.
func (t *tree) refuse() error {
	m := &markup{tree: t, conditional: conditional(), known: map[entry][]point{}}
	m.text(t.entry, []point{{}})
	return m.fault
}

func (m *markup) no(at spot, detail string) {
	if m.fault == nil {
		m.fault = m.located(at.in, faultf(at.at, "%s", detail))
	}
}

// text is where a text that is come into at these points can end.
func (m *markup) text(name string, in []point) []point {
	var out []point
	for _, p := range in {
		e := entry{name, p, m.foreign}
		if _, ok := m.known[e]; !ok {
			m.known[e] = m.list(name, m.nodes[name], []point{p})
		}
		out = append(out, m.known[e]...)
	}
	return m.meet(spot{name, 0}, out)
}

func (m *markup) list(name string, nodes []node, in []point) []point {
	var text piece
	for _, n := range nodes {
		if l, ok := n.(literal); ok {
			in = m.literal(&text, spot{name, l.at}, l.text, in)
			continue
		}
		in = m.plain(&text, in)
		switch n := n.(type) {
		case show:
			in = m.each(in, func(p point) point { return p.value(m, spot{name, n.path.at}) })
		case branch:
			in = m.meet(spot{name, n.at}, slices.Concat(m.list(name, n.then, in), m.list(name, n.otherwise, in)))
		case loop:
			in = m.loop(name, n, in)
		case include:
			in = m.text(m.target(name, n), in)
		}
		if m.fault != nil {
			return nil
		}
	}
	return m.plain(&text, in)
}

// loop goes round until no round brings anything new.
func (m *markup) loop(name string, n loop, in []point) []point {
	at := spot{name, n.at}
	before, ended := in, m.list(name, n.otherwise, in)
	for range maxPoints {
		foreign := m.foreign
		after := m.list(name, n.body, before)
		ended = append(ended, after...)
		more := m.meet(at, slices.Concat(before, after))
		if m.fault != nil || same(before, more) && foreign == m.foreign {
			return m.meet(at, ended)
		}
		before = more
	}
	m.no(at, manyWays)
	return nil
}

// literal reads what stands before a mark of a conditional comment; what stands behind
// the last waits in text for more of its kind, from which html/template does not part it.
func (m *markup) literal(text *piece, at spot, s string, in []point) []point {
	from := 0
	for _, mark := range marks(m.conditional, s) {
		text.add(spot{at.in, at.at + from}, s[from:mark[0]])
		in = m.plain(text, in)
		from = mark[1]
		in = m.each(in, func(p point) point { return p.mark(m, spot{at.in, at.at + mark[0]}, s[mark[0]:mark[1]]) })
	}
	text.add(spot{at.in, at.at + from}, s[from:])
	return in
}

// plain reads the text that has been gathered.
func (m *markup) plain(text *piece, in []point) []point {
	if len(text.parts) == 0 {
		return in
	}
	read := text.whole()
	*text = piece{}
	return m.each(in, func(p point) point { return p.read(m, read) })
}

func (m *markup) each(in []point, next func(point) point) []point {
	out := make([]point, 0, len(in))
	for _, p := range in {
		out = append(out, next(p))
	}
	return distinct(out)
}

// distinct has each of the points once.
func distinct(points []point) []point {
	set := make([]point, 0, len(points))
	for _, p := range points {
		if !slices.Contains(set, p) {
			set = append(set, p)
		}
	}
	return set
}

// same reports whether two sets are equal.
func same(a, b []point) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(p point) bool { return !slices.Contains(b, p) })
}

// meet is where ways are that come together. Where html/template finds them at different
// points of one tag, it takes all for the name of an attribute that it does not know.
func (m *markup) meet(at spot, points []point) []point {
	points = distinct(points)
	in := map[mode]bool{}
	for _, p := range points {
		in[p.taken()] = true
	}
	if in[beforeValue] && in[unquoted] {
		m.no(at, "what stands here can be left without a value, and take what follows for it; put it in quotes")
	}
	if len(points) > maxPoints {
		m.no(at, manyWays)
	}
	if in[inTag] && in[attrName] || in[inTag] && in[afterName] || in[attrName] && in[afterName] {
		for i := range points {
			points[i] = points[i].unnamed()
		}
	}
	return distinct(points)
}

// piece is literal text that nothing parts, and where it comes from.
type piece struct {
	text  string // once it is whole
	parts []part
}

type part struct {
	text string
	at   spot
}

func (t *piece) add(at spot, text string) {
	if text != "" {
		t.parts = append(t.parts, part{text, at})
	}
}

func (t *piece) whole() *piece {
	if len(t.parts) == 1 {
		return &piece{t.parts[0].text, t.parts}
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
	}
	return &piece{b.String(), t.parts}
}

// at is where a byte of the piece stands.
func (t *piece) at(i int) spot {
	n := 0
	for ; i >= len(t.parts[n].text) && n < len(t.parts)-1; n++ {
		i -= len(t.parts[n].text)
	}
	return spot{t.parts[n].at.in, t.parts[n].at.at + i}
}
