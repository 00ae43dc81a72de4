package handlebars

import (
	"cmp"
	htmltemplate "html/template"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// What separates literal text from actions in the Go form. Both hold a NUL,
// which no text may hold: nothing that a stranger writes can begin an action.
const (
	goOpen  = "\x00<"
	goClose = ">\x00"
)

// program is what the texts of one form share while they run.
type program struct {
	part    string
	texts   map[string]string
	paths   []path
	raws    []raw
	entries []spot // where texts are included
}

// spot is an offset in one of the texts.
type spot struct {
	in string
	at int
}

// raw is a piece of HTML that is put out as it is.
type raw struct {
	spot
	html htmltemplate.HTML
}

func (t *tree) program() *program { return &program{part: t.part, texts: t.texts} }

func (p *program) place(s spot) Place {
	line, column := position(p.texts[s.in], s.at)
	return Place{Part: p.part, Name: shown(s.in), Line: line, Column: column}
}

// goForm is one text written down as a Go template. All it can do is ask the
// scope it runs in for the value of a numbered path.
type goForm struct {
	text  string
	marks []mark
}

// mark says that what was written at gen came from src, as did what follows
// until the next mark.
type mark struct{ gen, src int }

// source is the offset in the text that an offset in the Go form came from.
func (g *goForm) source(gen int) int {
	i := sort.Search(len(g.marks), func(i int) bool { return g.marks[i].gen > gen })
	if i == 0 {
		return 0
	}
	return g.marks[i-1].src
}

// writer writes one text.
type writer struct {
	*program
	name        string // of the text
	b           strings.Builder
	marks       []mark
	conditional *regexp.Regexp       // nil: it is no HTML
	call        func(include) string // the name of the text it means; "": one without anything in it
}

func (w *writer) mark(src int) { w.marks = append(w.marks, mark{w.b.Len(), src}) }

func (w *writer) action(src int, words ...string) {
	w.mark(src)
	w.b.WriteString(goOpen)
	w.b.WriteString(strings.Join(words, " "))
	w.b.WriteString(goClose)
}

// number enters a path and returns what names it.
func (w *writer) number(p path) string {
	if p.in == "" {
		p.in = w.name
	}
	w.paths = append(w.paths, p)
	return strconv.Itoa(len(w.paths) - 1)
}

func (w *writer) list(nodes []node) {
	for _, n := range nodes {
		switch n := n.(type) {
		case literal:
			w.literal(n)
		case show:
			w.action(n.path.at, ".Show", w.number(n.path))
		case branch:
			w.branch(n)
		case loop:
			w.loop(n)
		case include:
			if name := w.call(n); name != "" {
				w.entries = append(w.entries, spot{w.name, n.at})
				w.action(n.at, "template", strconv.Quote(name), "(.Enter "+strconv.Itoa(len(w.entries)-1)+")")
			}
		case seam:
			w.action(0, "/**/")
		}
	}
}

func (w *writer) branch(n branch) {
	ask := ".Is"
	if n.unless {
		ask = ".IsNot"
	}
	w.action(n.at, "if", ask, w.number(n.path))
	w.list(n.then)
	w.otherwise(n.at, n.otherwise)
	w.action(n.at, "end")
}

func (w *writer) loop(n loop) {
	w.action(n.at, "range", ".Each", w.number(n.path))
	w.list(n.body)
	w.otherwise(n.at, n.otherwise)
	w.action(n.at, "end")
}

func (w *writer) otherwise(at int, nodes []node) {
	if len(nodes) > 0 {
		w.action(at, "else")
		w.list(nodes)
	}
}

// conditional finds what only Outlook reads, and what it does not, as the first group.
// html/template leaves out comments, and these with them. Other comments are found so
// that nothing in them is taken for such a mark.
func conditional() *regexp.Regexp {
	const (
		begin   = `\[if[\s(][^\]<>]{1,100}\]`
		opens   = `<!--` + begin + `>(?:\s*<!--(?:-?|[^\[\]<>]{0,200}--)>|-->)?` // with a comment that ends it for other programs
		ends    = `<!--\s*<!\[endif\]\s*-->|<!\[endif\]\s*-->`
		plain   = `<!` + begin + `>|<!\[endif\]>`         // no comment for other programs
		pasted  = `<!--` + begin + `-->|<!--\[endif\]-->` // what Word makes of the former where text is copied from it
		xml     = `<\?xml[^<>]{0,200}>`                   // nor is this, which no program shows either
		comment = `<!--(?s:.*?)-->`
	)
	return regexp.MustCompile("(?i)(" + opens + "|" + ends + "|" + plain + "|" + pasted + "|" + xml + ")|" + comment)
}

// marks finds what is conditional.
func marks(conditional *regexp.Regexp, text string) [][]int {
	if !strings.Contains(text, "<!") && !strings.Contains(text, "<?") {
		return nil
	}
	var marks [][]int
	for _, at := range conditional.FindAllStringSubmatchIndex(text, -1) {
		if at[2] >= 0 {
			marks = append(marks, at[2:])
		}
	}
	return marks
}

// literal writes text. In HTML the marks of conditional comments are put out as
// they are, and what stands between them is escaped like any other HTML: a value
// in it has no < nor >, and cannot end the comment.
func (w *writer) literal(n literal) {
	from := 0
	if w.conditional != nil {
		for _, at := range marks(w.conditional, n.text) {
			w.plain(n.at+from, n.text[from:at[0]])
			w.raws = append(w.raws, raw{spot{cmp.Or(n.in, w.name), n.at + at[0]}, htmltemplate.HTML(n.text[at[0]:at[1]])})
			w.action(n.at+at[0], ".Raw", strconv.Itoa(len(w.raws)-1))
			from = at[1]
		}
	}
	w.plain(n.at+from, n.text[from:])
}

func (w *writer) plain(src int, text string) {
	w.mark(src)
	w.b.WriteString(text)
}

// write puts every text of the tree into Go form.
func (t *tree) write(p *program) map[string]*goForm {
	forms := make(map[string]*goForm, len(t.order))
	var comments *regexp.Regexp
	if t.part == "html" {
		comments = conditional()
	}
	for _, name := range t.order {
		w := &writer{program: p, name: name, conditional: comments, call: func(inc include) string {
			target := t.target(name, inc)
			if len(t.nodes[target]) == 0 {
				return ""
			}
			return target
		}}
		w.list(t.nodes[name])
		forms[name] = &goForm{text: w.b.String(), marks: w.marks}
	}
	return forms
}
