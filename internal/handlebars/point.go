package handlebars

import (
	"slices"
	"strings"
)

// mode is what a program that reads HTML takes the next character for.
type mode int

const (
	inText mode = iota
	inComment
	tagName
	inTag    // where an attribute can begin
	attrName // in it, or right behind it
	afterName
	beforeValue
	unquoted
	quoted       // by "
	quotedSingly // by '
	inside       // of an element that has text alone
)

// scheme is who may still say what a URL begins with.
type scheme int

const (
	said     scheme = iota // it is certain, or there is no URL
	unsaid                 // nothing stands there yet
	byAValue               // a value does, and goes on
)

// point is a place in the HTML. The zero value is where it begins.
type point struct {
	mode   mode
	tag    string // the name, with a slash before it where it ends an element; "-": one that is like any other
	seen   string // what html/template takes for the name
	attr   string // its name; url: any that has one, "-": one that is like any other, "": there is none yet
	scheme scheme // of the URL that is its value
	torn   bool   // html/template takes it for the name of an attribute that is another
	string bool   // within a string of a script
	around
}

// around is what goes on beyond a tag.
type around struct {
	within  string // the element whose content some programs do not read as HTML
	hidden  bool   // by a conditional comment that is open
	foreign bool   // somewhere before there is an <svg> or a <math>
	unclear bool   // html/template may take it for a script that programs have seen the end of
}

// special are the elements in which html/template does not read HTML, and the one with an
// attribute of a kind of its own.
func special() []string { return []string{"script", "style", "textarea", "title", "meta"} }

// withheld are elements that some programs take for text alone, up to their end.
func withheld() []string { return []string{"xmp", "iframe", "noembed", "noframes", "noscript"} }

// foreign are those in which HTML is read by other rules.
func foreign() []string { return []string{"svg", "math"} }

// other is the name of all tags that are of no kind of their own.
const other = "-"

// named is a tag's name, or as much of it as there is, in lower case, or other.
func named(tag string) string {
	tag = strings.ToLower(tag)
	for _, known := range slices.Concat(special(), withheld(), foreign()) {
		if strings.HasPrefix(known, strings.TrimPrefix(tag, "/")) {
			return tag
		}
	}
	return other
}

// url is the name of all attributes that have one.
const url = "url"

// isURL reports whether html/template takes what an attribute has for a URL, by its name in
// lower case.
func isURL(name string) bool {
	if short, ok := strings.CutPrefix(name, "data-"); ok {
		name = short
	} else if space, short, ok := strings.Cut(name, ":"); ok && space == "xmlns" {
		return true
	} else if ok {
		name = short
	}
	switch name {
	case "xmlns", "action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
		"longdesc", "manifest", "poster", "profile", "usemap":
		return true
	}
	return strings.Contains(name, "src") || strings.Contains(name, "uri") || strings.Contains(name, "url")
}

// only is the name where it is one of these, or "".
func only(tag string, of []string) string {
	if slices.Contains(of, tag) {
		return tag
	}
	return ""
}

// value is behind a value.
func (p point) value(m *markup, at spot) point {
	switch p.mode {
	case tagName:
		m.no(at, "a value cannot stand in the name of a tag; write the name out")
	case inTag, attrName, afterName:
		m.no(at, "a value cannot stand where the name of an attribute does; put it in quotes behind a name")
	case beforeValue:
		p.mode = unquoted
	}
	switch p.attr {
	case "srcdoc":
		m.no(at, "a value cannot stand in srcdoc, where it would be HTML")
	case "type":
		m.no(at, wholeType)
	}
	if p.scheme == unsaid {
		p.scheme = byAValue
	}
	return p
}

// taken is what html/template takes the next character for.
func (p point) taken() mode {
	switch {
	case p.mode == tagName && p.torn:
		return attrName
	case p.mode == tagName:
		return inTag
	}
	return p.mode
}

// unnamed is the point once html/template has forgotten the name of the attribute.
func (p point) unnamed() point {
	switch p.mode {
	case tagName:
		p.torn = true
	case inTag, attrName, afterName:
		p.mode, p.attr, p.torn = attrName, other, true
	}
	return p
}

// mark is behind a mark of a conditional comment.
func (p point) mark(m *markup, at spot, text string) point {
	switch {
	case p.mode == beforeValue || p.mode == unquoted: // of it html/template leaves nothing
		m.no(at, "a conditional comment cannot stand where a value does; put the value in quotes")
	case p.mode != inText:
		return p.value(m, at)
	case strings.HasSuffix(text, "-->"):
		p.hidden = false
	case strings.HasPrefix(text, "<!--"):
		p.hidden = true
	}
	return p
}
