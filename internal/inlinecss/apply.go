// Package inlinecss puts the rules of style sheets into the style attributes of
// the elements that they apply to, for mail programs that read no style sheets.
// The HTML is written by strangers: it is read token by token, and what the work
// may cost is bounded.
package inlinecss

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// MaxOutput is the length of the result in bytes.
	MaxOutput = 2 << 20
	// MaxRules bounds the selectors of all sheets together.
	MaxRules = 1_000
	// maxWork bounds the looks at elements, and the declarations that are
	// written. A look at one takes some ten nanoseconds.
	maxWork = 5_000_000
	// declarationWork is what a declaration costs beside a look.
	declarationWork = 20
	// maxOpen is how many elements around one are looked at.
	maxOpen = 100
)

// LimitError says why a mail is too much.
type LimitError struct{ Detail string }

// Error implements error.
func (e *LimitError) Error() string { return e.Detail }

// Apply returns the HTML with the rules of its style elements in place. The
// style elements stay, for what cannot be inlined: at-rules, and selectors of
// more than elements, classes and ids. Whatever is not given a style stays as it
// is written, comments included. The error is a *LimitError.
func Apply(source string) (string, error) {
	rules := collect(source)
	switch {
	case len(rules) == 0:
		return source, nil
	case len(rules) > MaxRules:
		return "", &LimitError{Detail: fmt.Sprintf("has more than %d rules of style to put in place", MaxRules)}
	}
	i := &inliner{rules: rules, work: maxWork}
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		end := z.Next() == html.ErrorToken // a tokenizer of a string has no other
		raw := string(z.Raw())
		if end {
			i.b.WriteString(raw) // a tag that does not end
			return i.b.String(), nil
		}
		i.token(z.Token(), raw)
		if i.work <= 0 || i.b.Len() > MaxOutput {
			return "", &LimitError{Detail: "has too much style to put in place"}
		}
	}
}

// collect reads the style sheets that are for every medium.
func collect(source string) []rule {
	var rules []rule
	z := html.NewTokenizer(strings.NewReader(source))
	styled := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return rules
		case html.StartTagToken:
			t := z.Token()
			styled = t.DataAtom == atom.Style && forAll(&t)
		case html.TextToken:
			if styled && len(rules) <= MaxRules {
				rules = sheet(string(z.Raw()), rules)
			}
		default:
			styled = false
		}
	}
}

func forAll(t *html.Token) bool {
	for _, a := range t.Attr {
		if a.Key == "media" && a.Val != "" && !strings.EqualFold(strings.TrimSpace(a.Val), "all") {
			return false
		}
	}
	return true
}

// inliner writes the result.
type inliner struct {
	rules []rule
	work  int
	open  []element
	b     strings.Builder
}

func (i *inliner) token(t html.Token, raw string) {
	switch t.Type {
	case html.StartTagToken, html.SelfClosingTagToken:
		i.close(implied(t.DataAtom))
		i.open = append(i.open, elementOf(&t))
		i.start(&t, raw)
		// A slash ends only what is no HTML, such as a part of a drawing.
		if void(t.DataAtom) || t.Type == html.SelfClosingTagToken && t.DataAtom == 0 {
			i.open = i.open[:len(i.open)-1]
		}
		return
	case html.EndTagToken:
		i.end(t.Data)
	}
	i.b.WriteString(raw)
}

// start writes a tag with the style that its element has.
func (i *inliner) start(t *html.Token, raw string) {
	if invisible(t.DataAtom) {
		i.b.WriteString(raw)
		return
	}
	near := i.open[max(len(i.open)-maxOpen, 0):]
	var found []*rule
	for n := range i.rules {
		if i.rules[n].selector.matches(near, &i.work) {
			found = append(found, &i.rules[n])
			i.work -= declarationWork * len(i.rules[n].declared)
		}
	}
	if len(found) == 0 || i.work <= 0 {
		i.b.WriteString(raw)
		return
	}
	i.write(t, cascade(found, styleOf(t)))
}

// cascade is the style of an element: that of the rules, over it that of the
// element itself, over that what the rules say is important.
func cascade(rules []*rule, own string) string {
	sortByWeight(rules)
	var normal, important []declaration
	for _, r := range rules {
		for _, d := range r.declared {
			if d.important {
				important = append(important, d)
			} else {
				normal = append(normal, d)
			}
		}
	}
	return merge(normal, declarations(own), important)
}

func styleOf(t *html.Token) string {
	for _, a := range t.Attr {
		if a.Key == "style" {
			return a.Val
		}
	}
	return ""
}

// write writes the tag anew. A name stands as it was read, and a value is
// escaped: that is what was read, in another form.
func (i *inliner) write(t *html.Token, style string) {
	i.b.WriteString("<" + t.Data)
	styled := false
	for _, a := range t.Attr {
		if a.Key == "style" {
			if styled {
				continue
			}
			styled, a.Val = true, style
		}
		i.b.WriteString(" " + a.Key + `="` + html.EscapeString(a.Val) + `"`)
	}
	if !styled {
		i.b.WriteString(` style="` + html.EscapeString(style) + `"`)
	}
	if t.Type == html.SelfClosingTagToken {
		i.b.WriteString("/")
	}
	i.b.WriteString(">")
}

// end closes the innermost element of the name, and what is open in it.
func (i *inliner) end(name string) {
	for n := len(i.open) - 1; n >= 0 && n >= len(i.open)-maxOpen; n-- {
		if i.open[n].name == name {
			i.open = i.open[:n]
			return
		}
	}
}

// close ends elements that nobody closes, before another begins that cannot
// stand in them.
func (i *inliner) close(names, within []string) {
	if len(i.open) == 0 || len(names) == 0 {
		return
	}
	for n := len(i.open) - 1; n >= 0 && n >= len(i.open)-maxOpen; n-- {
		open := i.open[n].name
		if slices.Contains(names, open) {
			i.open = i.open[:n]
			return
		}
		if slices.Contains(within, open) {
			return
		}
	}
}

// implied names the elements that a tag closes, and those that it does not look
// out of for them (HTML, 13.1.2.4).
func implied(a atom.Atom) (names, within []string) {
	switch a {
	case atom.Tr:
		return []string{"tr"}, []string{"table"}
	case atom.Td, atom.Th:
		return []string{"td", "th"}, []string{"table"}
	case atom.Li:
		return []string{"li"}, []string{"ul", "ol"}
	case atom.P, atom.Div, atom.Table, atom.Ul, atom.Ol, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Blockquote, atom.Center:
		return []string{"p"}, []string{"td", "th"}
	}
	return nil, nil
}

func void(a atom.Atom) bool {
	switch a {
	case atom.Br, atom.Hr, atom.Img, atom.Input, atom.Meta, atom.Link, atom.Area, atom.Base, atom.Col, atom.Embed, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}

// invisible elements have no style.
func invisible(a atom.Atom) bool {
	switch a {
	case atom.Html, atom.Head, atom.Title, atom.Meta, atom.Link, atom.Style, atom.Script, atom.Base, atom.Template:
		return true
	}
	return false
}
