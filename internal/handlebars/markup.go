package handlebars

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// maxPoints bounds the points of the HTML that one place of a template can be at.
	maxPoints = 64
	// maxRead bounds the bytes that are read at all of them, along every way.
	maxRead = 128 * maxTotal
)

const manyWays = "the HTML of this block can be read in too many ways; write names and tags in one piece"

// markup reads the HTML of a form as the program does that shows the mail, along every
// way through its blocks. html/template finds the places of values on the way as well,
// but where two ways meet within a tag, or names are put together of pieces, or a slash
// parts what it takes for one name, it takes a place for another, and escapes a value
// for that one. Such templates are refused. So are those that html/template would take too
// long for, before it sees them.
type markup struct {
	*tree
	conditional *regexp.Regexp
	known       map[entry][]point
	left        int   // bytes that may still be read
	fault       error // the first
}

// entry is a text that is come into at a point.
type entry struct {
	text string
	at   point
}

// refuse is why a form is not to be given to html/template, or nil.
func (t *tree) refuse() error {
	t.effort = map[spot]int{}
	m := &markup{tree: t, conditional: conditional(), known: map[entry][]point{}, left: maxRead}
	m.text(t.entry, []point{{}})
	if at := (scale{t, map[string]int{}}).heavy(t.entry); at >= 0 && m.fault == nil {
		m.no(spot{t.entry, at}, costly)
	}
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
		e := entry{name, p}
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

// loop goes round until no round brings a new point.
func (m *markup) loop(name string, n loop, in []point) []point {
	at := spot{name, n.at}
	before, ended := in, m.list(name, n.otherwise, in)
	for range maxPoints {
		after := m.list(name, n.body, before)
		ended = append(ended, after...)
		more := m.meet(at, slices.Concat(before, after))
		if m.fault != nil || same(before, more) {
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
		text.add(at, spot{at.in, at.at + from}, s[from:mark[0]])
		in = m.plain(text, in)
		from = mark[1]
		in = m.each(in, func(p point) point { return p.mark(m, spot{at.in, at.at + mark[0]}, s[mark[0]:mark[1]]) })
	}
	text.add(at, spot{at.in, at.at + from}, s[from:])
	return in
}

// plain reads the text that has been gathered.
func (m *markup) plain(text *piece, in []point) []point {
	if text.size == 0 {
		return in
	}
	read := *text
	read.text = strings.Join(read.texts, "")
	read.search = search(read.text)
	*text = piece{}
	if m.left -= read.size * len(in); m.left < 0 {
		m.no(read.at(0), manyWays)
	}
	return m.each(in, func(p point) point { return p.read(m, &read) })
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

// joined are points where ways meet: what was before one of them was before all, so
// that they do not become many.
func joined(points []point) []point {
	var before around
	for _, p := range points {
		before.foreign, before.unclear = before.foreign || p.foreign, before.unclear || p.unclear
	}
	met := slices.Clone(points)
	for i := range met {
		met[i].foreign, met[i].unclear = before.foreign, before.unclear
	}
	return met
}

// same reports whether two sets are equal.
func same(a, b []point) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(p point) bool { return !slices.Contains(b, p) })
}

// meet is where ways are that come together. Where html/template finds them at different
// points of one tag, it takes all for the name of an attribute that it does not know.
func (m *markup) meet(at spot, points []point) []point {
	points = distinct(joined(points))
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
	of    spot // the first literal that is in it
	parts []part
	texts []string
	size  int

	text   string // all of them, once it is read
	search int    // what it costs to look through it for an end tag
}

type part struct {
	from int // in the piece
	at   spot
}

func (t *piece) add(of, at spot, text string) {
	if text == "" {
		return
	}
	if t.size == 0 {
		t.of = of
	}
	t.parts = append(t.parts, part{t.size, at})
	t.texts = append(t.texts, text)
	t.size += len(text)
}

// at is where a byte of the piece stands.
func (t *piece) at(i int) spot {
	n := len(t.parts) - 1
	for t.parts[n].from > i {
		n--
	}
	return spot{t.parts[n].at.in, t.parts[n].at.at + i - t.parts[n].from}
}
