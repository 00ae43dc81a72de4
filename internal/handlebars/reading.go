package handlebars

import (
	"html"
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

// readName reads a name or what is left of it. A slash ends it for programs, and does not
// for html/template.
func (p point) readName(m *markup, t *piece, i int) (point, int) {
	n, ended := upTo(t.text[i:], blanks+"=>")
	name := t.text[i : i+n]
	if sign := strings.IndexByte(name, '<'); sign >= 0 {
		p.early(m, t, i+sign)
	}
	if name != "" {
		p.torn = p.torn || p.attr != "" || strings.Contains(name, "/")
		p.attr = other
		switch lower := strings.ToLower(name); {
		case lower == "srcdoc", lower == "type" && p.tag == "script":
			p.attr = lower
		case isURL(lower):
			p.attr = url
		}
	}
	if ended {
		p.mode = afterName
	}
	return p, i + n
}

func (p point) readAfterName(m *markup, t *piece, i int) (point, int) {
	i += blank(t.text[i:])
	switch {
	case i == len(t.text):
		return p, i
	case t.text[i] != '=':
		p.mode, p.attr, p.torn = inTag, "", false
		return p, i
	case p.torn:
		m.no(t.at(i), "the name of this attribute is not certain; write it in one piece, with a blank before it that stands in the same piece")
	}
	p.mode = beforeValue
	if p.attr == url {
		p.scheme = unsaid
	}
	return p, i + 1
}

// early refuses a sign < in the tag of a special element, outside of quotes: html/template
// finds the end of the element there already.
func (p point) early(m *markup, t *piece, i int) {
	if only(p.tag, special()) != "" {
		m.no(t.at(i), "a sign < cannot stand in a tag; put the value in quotes, or write &lt; in it")
	}
}

func (p point) readBeforeValue(m *markup, t *piece, i int) (point, int) {
	i += blank(t.text[i:])
	switch {
	case i == len(t.text):
		return p, i
	case t.text[i] == '"':
		p.mode = quoted
	case t.text[i] == '\'':
		p.mode = quotedSingly
	case t.text[i] == '<':
		p.early(m, t, i)
		fallthrough
	default:
		p.mode = unquoted
		return p, i
	}
	return p, i + 1
}

func (p point) readValue(m *markup, t *piece, i int) (point, int) {
	n, ended := upTo(t.text[i:], p.valueEnds())
	p.unread(m, t, i, i+n)
	if p.attr == "type" && (!ended || !slices.Contains(scripts(), strings.ToLower(t.text[i:i+n]))) {
		m.no(t.at(i), wholeType)
	}
	p = p.readScheme(m, t, i, i+n)
	i += n
	if !ended {
		return p, i
	}
	if p.mode != unquoted {
		i++
	}
	p.mode, p.attr, p.scheme = inTag, "", said
	return p, i
}

// readScheme refuses the end of a scheme that a value has begun: html/template looks for
// one in the value alone.
func (p point) readScheme(m *markup, t *piece, from, to int) point {
	text := strings.TrimSpace(html.UnescapeString(t.text[from:to]))
	switch end := strings.IndexAny(text, ":/?#"); {
	case text == "" || p.scheme == said:
	case p.scheme == unsaid || end >= 0 && text[end] != ':':
		p.scheme = said
	case end >= 0:
		m.no(t.at(from), "a value cannot be the scheme of a URL; write the scheme in the template, as in https://{{host}}, or the whole URL in one value")
	}
	return p
}

// scripts are types of what html/template reads as a script. For any other it reads HTML
// where programs find text.
func scripts() []string {
	return []string{"text/javascript", "application/javascript", "application/ld+json", "application/json", "module"}
}

const wholeType = "the type of a script is written in one piece; there are text/javascript, application/javascript, application/ld+json, application/json and module"

func (p point) valueEnds() string {
	switch p.mode {
	case quoted:
		return `"`
	case quotedSingly:
		return `'`
	}
	return blanks + ">"
}

// unread refuses text that is no HTML where a program could take it for some: the end of
// a comment that hides it, or of an element that is text alone.
func (p point) unread(m *markup, t *piece, from, to int) {
	text := t.text[from:to]
	if i := strings.IndexByte(text, '<'); i >= 0 && p.within != "" {
		m.no(t.at(from+i), "within <"+p.within+"> write &lt; for the sign itself")
	}
	for i := range text {
		if text[i] == '>' && p.hidden && closes(text[:i]) {
			m.no(t.at(from+i), "this ends the conditional comment for some programs; write &gt; for the sign itself")
		}
	}
}

// closes reports whether a sign > behind the text can end a comment. What stands before
// the text can be a value.
func closes(text string) bool {
	text = strings.TrimSuffix(text, "!")
	return strings.HasSuffix("--", text[max(0, len(text)-2):])
}

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
