package handlebars

import (
	"html"
	"slices"
	"strings"
)

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
