package template

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// plainText is what HTML says, for programs that show none: paragraphs and lines
// stay apart, list items have a dash, links their address behind them, pictures
// their description. It reads the text once, token by token, so that no nesting
// costs more than its length.
func plainText(source string) string {
	p := &plainWriter{}
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case html.ErrorToken: // the end: a tokenizer of a string has no other
			return strings.TrimSpace(p.b.String())
		case html.TextToken:
			p.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			p.start(z.Token())
		case html.EndTagToken:
			p.end(z.Token())
		}
	}
}

type plainWriter struct {
	b      strings.Builder
	breaks int       // line breaks that are due before the next text
	blank  bool      // so is a blank
	hidden atom.Atom // inside of an element that is not shown; 0: no
	depth  int       // of elements of its name within it
	link   string    // the address of the link that is open
	label  int       // where its text begins
}

// text writes words with single blanks between them.
func (p *plainWriter) text(s string) {
	if p.hidden != 0 {
		return
	}
	words := strings.Fields(s)
	if len(words) == 0 {
		p.blank = p.blank || s != ""
		return
	}
	if strings.TrimLeft(s, " \t\r\n\f") != s {
		p.blank = true
	}
	p.word(strings.Join(words, " "))
	p.blank = strings.TrimRight(s, " \t\r\n\f") != s
}

func (p *plainWriter) word(s string) {
	switch {
	case p.b.Len() == 0:
	case p.breaks > 0:
		p.b.WriteString(strings.Repeat("\n", p.breaks))
	case p.blank:
		p.b.WriteByte(' ')
	}
	p.breaks, p.blank = 0, false
	p.b.WriteString(s)
}

func (p *plainWriter) start(t html.Token) {
	if p.hidden != 0 {
		if t.DataAtom == p.hidden && t.Type == html.StartTagToken {
			p.depth++
		}
		return
	}
	if invisible(t) {
		p.hidden, p.depth = t.DataAtom, 1
		return
	}
	p.apart(t.DataAtom)
	switch t.DataAtom {
	case atom.Br:
		p.breaks = min(p.breaks+1, 2)
	case atom.Li:
		p.word("-")
		p.blank = true
	case atom.Hr:
		p.word("---")
		p.breaks = 1
	case atom.Td, atom.Th:
		p.blank = true
	case atom.Img:
		p.text(attribute(t, "alt"))
	case atom.A:
		p.link, p.label = attribute(t, "href"), p.b.Len()
	}
}

func (p *plainWriter) end(t html.Token) {
	if p.hidden != 0 {
		if t.DataAtom == p.hidden {
			if p.depth--; p.depth == 0 {
				p.hidden = 0
			}
		}
		return
	}
	if t.DataAtom == atom.A {
		p.address()
	}
	p.apart(t.DataAtom)
}

// address writes where a link leads, unless its text says that already.
func (p *plainWriter) address() {
	link := strings.TrimPrefix(p.link, "mailto:")
	p.link = ""
	if link == "" || strings.HasPrefix(link, "#") {
		return
	}
	switch label := strings.TrimSpace(p.b.String()[min(p.label, p.b.Len()):]); {
	case label == link:
	case label == "":
		p.word(link)
	default:
		p.blank = true
		p.word("(" + link + ")")
	}
}

// apart keeps blocks in lines of their own, and paragraphs further.
func (p *plainWriter) apart(a atom.Atom) {
	switch a {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table, atom.Ul, atom.Ol, atom.Blockquote, atom.Pre:
		p.breaks = 2
	case atom.Div, atom.Tr, atom.Li, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Hr, atom.Dt, atom.Dd, atom.Center:
		p.breaks = max(p.breaks, 1)
	}
}

// invisible elements are those of the head, and those hidden for the sake of a
// preview line. Elements that have no end are never hidden.
func invisible(t html.Token) bool {
	switch t.DataAtom {
	case atom.Head, atom.Style, atom.Script, atom.Title, atom.Template, atom.Noscript:
		return t.Type == html.StartTagToken
	case 0, atom.Br, atom.Hr, atom.Img, atom.Input, atom.Meta, atom.Link, atom.Area, atom.Base, atom.Col, atom.Wbr:
		return false
	}
	style := strings.ReplaceAll(strings.ToLower(attribute(t, "style")), " ", "")
	return t.Type == html.StartTagToken && strings.Contains(style, "display:none")
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
