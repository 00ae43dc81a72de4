package handlebars

import (
	"slices"
	"strings"
)

const (
	blanks  = " \t\r\n\f"
	tagEnds = blanks + "/>"
)

// read goes through text up to its end.
func (p point) read(m *markup, t *piece) point {
	if p.unclear {
		m.spend(t, signs(t.text)*t.search)
	}
	for i := 0; i < len(t.text) && m.fault == nil; {
		p, i = p.step(m, t, i)
	}
	return p
}

func (p point) step(m *markup, t *piece, i int) (point, int) {
	if p.mode >= tagName && p.mode <= beforeValue && (p.seen != "" || only(p.tag, special()) != "") {
		m.spend(t, t.search) // html/template looks for its end already
	}
	switch p.mode {
	case inText:
		return p.readText(m, t, i)
	case inComment:
		n, found := after(t.text[i:], "-->")
		if end := strings.Index(t.text[i:i+n], "--!>"); end >= 0 {
			m.no(t.at(i+end), endsComment)
		}
		if found {
			p.mode = inText
		}
		return p, i + n
	case tagName:
		return p.readTagName(m, t, i)
	case inTag:
		return p.readTag(m, t, i)
	case attrName:
		return p.readName(m, t, i)
	case afterName:
		return p.readAfterName(m, t, i)
	case beforeValue:
		return p.readBeforeValue(m, t, i)
	case inside:
		return p.readInside(m, t, i)
	}
	return p.readValue(m, t, i)
}

// upTo is the length of text up to one of the characters.
func upTo(text, chars string) (n int, found bool) {
	if n := strings.IndexAny(text, chars); n >= 0 {
		return n, true
	}
	return len(text), false
}

// after is the length of text up to the end of a word in it.
func after(text, word string) (n int, found bool) {
	if n := strings.Index(text, word); n >= 0 {
		return n + len(word), true
	}
	return len(text), false
}

// blank is the length of the blanks that text begins with.
func blank(text string) int { return len(text) - len(strings.TrimLeft(text, blanks)) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isAlphanumeric(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' }

// doctype is what begins no tag and is left as it is.
const doctype = "!doctype"

// endsComment: html/template leaves out what follows as well.
const endsComment = "this ends the comment for mail programs already; end it with -->, and write <!-- --> for an empty one"

// readText looks for the next tag. Any other sign that begins none html/template writes
// as &lt;.
func (p point) readText(m *markup, t *piece, i int) (point, int) {
	n, found := after(t.text[i:], "<")
	i += n
	rest := t.text[i:]
	switch {
	case !found || rest == "":
	case strings.HasPrefix(rest, "!--"):
		if strings.HasPrefix(rest, "!-->") || strings.HasPrefix(rest, "!--->") {
			m.no(t.at(i-1), endsComment)
		}
		return point{mode: inComment, around: p.around}, i + len("!--")
	case isLetter(rest[0]):
		return point{mode: tagName, seen: only(strings.ToLower(seenName(rest)), special()), around: p.around}, i
	case len(rest) >= len(doctype) && strings.EqualFold(rest[:len(doctype)], doctype):
		if end, ended := upTo(rest, "<>"); !ended || rest[end] == '<' {
			m.no(t.at(i-1), "a doctype ends with > in the piece that it begins in")
		}
	case rest[0] == '/' && len(rest) > 1 && isLetter(rest[1]):
		return point{mode: tagName, tag: "/", around: p.around}, i + 1
	}
	m.spend(t, len(rest))
	return p, i
}

// seenName is as much of a tag's name as html/template takes for it.
func seenName(text string) string {
	n := 1
	for n < len(text) {
		switch {
		case isAlphanumeric(text[n]):
			n++
		case strings.IndexByte(":-", text[n]) >= 0 && n+1 < len(text) && isAlphanumeric(text[n+1]):
			n += 2
		default:
			return text[:n]
		}
	}
	return text
}

// readTagName reads a name or what is left of it. What html/template leaves of it, it
// takes for an attribute.
func (p point) readTagName(m *markup, t *piece, i int) (point, int) {
	n, ended := upTo(t.text[i:], tagEnds)
	name := t.text[i : i+n]
	if sign := strings.IndexByte(name, '='); sign >= 0 {
		m.no(t.at(i+sign), "the name of a tag goes on up to here; end it with a blank before an attribute begins, and write &lt; for the sign itself")
	}
	if name != "" {
		begun := strings.TrimPrefix(p.tag, "/") != ""
		p.torn = p.torn || begun || seenName(name) != name
		p.tag = named(p.tag + name)
	}
	i += n
	if !ended {
		return p, i
	}
	if only(p.tag, special()) != p.seen {
		m.no(t.at(max(i-1, 0)), "the name of a tag that ends here is put together of pieces; write it in one")
	}
	p.mode, p.seen = inTag, ""
	if p.torn && t.text[i] != '>' {
		p.mode, p.attr = attrName, other
	}
	return p, i
}

func (p point) readTag(m *markup, t *piece, i int) (point, int) {
	i += blank(t.text[i:])
	switch {
	case i == len(t.text):
		return p, i
	case t.text[i] == '>':
		return p.content(m, t, i), i + 1
	}
	p.mode = attrName
	return p.readName(m, t, i)
}

// content is what follows a tag.
func (p point) content(m *markup, t *piece, i int) point {
	next := point{around: p.around}
	if p.tag == "script" && p.hidden {
		m.no(t.at(i), "a script cannot stand in a conditional comment")
	}
	switch {
	case slices.Contains(special(), p.tag) && p.tag != "meta":
		next.mode, next.tag = inside, p.tag
	case slices.Contains(withheld(), p.tag) && p.within == "":
		next.within = p.tag
	case p.tag == "/"+p.within:
		next.within = ""
	case slices.Contains(foreign(), p.tag):
		next.foreign = true
	}
	return next
}
