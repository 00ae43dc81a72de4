package handlebars

import "strings"

// readInside reads an element of text alone up to its end.
func (p point) readInside(m *markup, t *piece, i int) (point, int) {
	n, found := p.end(t.text[i:])
	p.unread(m, t, i, i+n)
	m.spend(t, p.effort(t.text[i:i+n], len(t.text)-i))
	if p.tag == "script" {
		p = p.readScript(m, t, i, i+n)
	}
	if found && p.string {
		m.no(t.at(i+n), `an end tag in a string of a script is no end for html/template; write <\/ in it`)
	}
	for j := i; j < i+n; j++ {
		if t.text[j] == '<' && p.misread(t.text[j+1:i+n]) {
			m.no(t.at(j), "no tag can stand within <"+p.tag+">; leave it out, or write it otherwise")
		}
	}
	if found {
		return point{mode: tagName, tag: "/", around: p.around}, i + n + len("</")
	}
	return p, i + n
}

// readScript looks for the strings in a script, in which html/template finds no end of it.
// Where there is more than strings in double quotes, as in JSON, it gives that up.
func (p point) readScript(m *markup, t *piece, from, to int) point {
	for i := from; i < to && !p.unclear; i++ {
		switch c := t.text[i]; {
		case c == '"':
			p.string = !p.string
		case p.string && c == '\\':
			i++
		case !p.string && (strings.IndexByte("'`/<#", c) >= 0 || strings.HasPrefix(t.text[i:], "-->")):
			p.string, p.unclear = false, true
			m.spend(t, signs(t.text[i:])*search(t.text[i:]))
		}
	}
	return p
}

// effort is what the text of the element costs, with so much from its beginning on.
func (p point) effort(text string, rest int) int {
	switch p.tag {
	case "title", "textarea":
		return strings.Count(text, "<") * rest
	case "style":
		return signs(text)*search(text) + decoded(text)
	}
	return signs(text)*search(text) + nest*strings.Count(text, "${")
}

// end is where the end tag of the element begins. A carriage return behind its name ends
// that for programs, and does not for html/template.
func (p point) end(text string) (n int, found bool) {
	for n < len(text) {
		next, ok := after(text[n:], "</")
		if !ok {
			break
		}
		n += next
		if name := text[n:]; len(name) > len(p.tag) && strings.EqualFold(name[:len(p.tag)], p.tag) && strings.IndexByte("> \t\n\f/", name[len(p.tag)]) >= 0 {
			return n - len("</"), true
		}
	}
	return len(text), false
}

// misread reports whether a sign < with this behind it is more than text for a program
// where html/template takes it for text. What follows it in another piece is not known.
func (p point) misread(behind string) bool {
	switch {
	case p.tag == "title" || p.tag == "textarea": // it is written as &lt; there
		return false
	case strings.HasPrefix("!--", behind), p.foreign && behind[0] == '!':
		return true
	case p.foreign || p.tag == "style":
		return isLetter(behind[0]) || strings.IndexByte("/?", behind[0]) >= 0
	}
	name := behind[1:min(len(behind), 1+len(p.tag))]
	return behind[0] == '/' && strings.EqualFold(name, p.tag[:len(name)])
}
