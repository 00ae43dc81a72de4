package handlebars

import (
	"strings"
	"unicode/utf8"
)

const (
	// MaxSource is the length of one text in bytes.
	MaxSource = 512 << 10
	// maxTag is the length of one tag, comments aside: an end that was
	// forgotten is then reported where it was.
	maxTag = 500
	// maxNesting bounds blocks within blocks.
	maxNesting = 32
	// maxLoops bounds loops within loops. To find the place of a value in the
	// HTML goes twice through every loop, so that each level doubles the work.
	maxLoops = 4
	// maxNodes bounds the tags and texts of one source.
	maxNodes = 50_000
)

// node is a piece of a template.
type node interface{}

type (
	literal struct {
		at   int
		text string
		in   string // the text it is from, where several are put together
	}
	show   struct{ path path }
	branch struct {
		at              int
		path            path
		unless          bool
		then, otherwise []node
	}
	loop struct {
		at              int
		path            path
		body, otherwise []node
	}
	include struct {
		at   int
		name string
	}
)

// parser reads one text.
type parser struct {
	src    string
	pos    int
	outer  bool // nothing is known of the loops around it: it is to be included
	blocks []*block
	loops  int
	nodes  int
}

// block is one that is not closed yet.
type block struct {
	at      int
	word    string // if, unless, each; "": the text itself
	path    path
	list    []node // of the part that is being read
	first   []node // the part before else
	split   bool   // there was an else
	chained bool   // stands for an else if, and closes with the block around it
}

// parse reads a text. Included says that it will stand inside of others.
func parse(src string, included bool) ([]node, error) {
	switch {
	case len(src) > MaxSource:
		return nil, faultf(MaxSource, "is %d bytes long; at most %d are allowed, which end here", len(src), MaxSource)
	case !utf8.ValidString(src):
		return nil, faultf(len(src)-len(afterValid(src)), "must be valid UTF-8")
	case strings.IndexByte(src, 0) >= 0:
		return nil, faultf(strings.IndexByte(src, 0), "must not contain NUL")
	}
	p := &parser{src: src, outer: included, blocks: []*block{{}}}
	for p.pos < len(src) {
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.nodes > maxNodes {
			return nil, faultf(p.pos, "there are too many tags up to here")
		}
	}
	if open := p.top(); open.word != "" {
		return nil, faultf(open.at, "{{#%s}} is never closed by {{/%s}}", open.word, open.word)
	}
	return p.top().list, nil
}

// afterValid is what is left from the first byte on that is no UTF-8.
func afterValid(s string) string {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			break
		}
		s = s[size:]
	}
	return s
}

func (p *parser) top() *block { return p.blocks[len(p.blocks)-1] }

func (p *parser) add(n node) {
	p.nodes++
	p.top().list = append(p.top().list, n)
}

func (p *parser) text(from, to int) {
	if from < to {
		p.add(literal{at: from, text: p.src[from:to]})
	}
}

// next reads up to the end of the next tag.
func (p *parser) next() error {
	i := strings.Index(p.src[p.pos:], "{{")
	if i < 0 {
		p.text(p.pos, len(p.src))
		p.pos = len(p.src)
		return nil
	}
	start := p.pos + i
	if start > p.pos && p.src[start-1] == '\\' {
		p.text(p.pos, start-1)
		p.text(start, start+2)
		p.pos = start + 2
		return nil
	}
	body, end, err := p.tag(start)
	if err != nil {
		return err
	}
	before, after := start, end
	if alone(body) {
		before, after = p.line(start, end)
	}
	p.text(p.pos, before)
	p.pos = after
	return p.read(start, body)
}

// tag finds the end of the tag that begins at start and what is in it.
func (p *parser) tag(start int) (body string, end int, err error) {
	rest := p.src[start:]
	opening, closing := "{{", "}}"
	switch {
	case strings.HasPrefix(rest, "{{!--"):
		opening, closing = "{{!--", "--}}"
	case strings.HasPrefix(rest, "{{{"):
		opening, closing = "{{{", "}}}"
	}
	comment := strings.HasPrefix(rest, "{{!")
	within := rest[len(opening):]
	if !comment {
		within = within[:min(len(within), maxTag)]
	}
	n := strings.Index(within, closing)
	if n < 0 {
		return "", 0, faultf(start, "this %s is not closed by %s; write \\{{ for the two braces themselves", opening, closing)
	}
	if comment {
		return "!", start + len(opening) + n + len(closing), nil
	}
	body = strings.TrimSpace(within[:n])
	if opening == "{{{" && strings.ContainsAny(body[:min(len(body), 1)], "#/>!&^") {
		return "", 0, faultf(start, "three braces are for values only")
	}
	return body, start + len(opening) + n + len(closing), nil
}

// alone reports whether a tag leaves no trace where it has a line to itself.
func alone(body string) bool {
	return body == "else" || strings.HasPrefix(body, "else ") || strings.ContainsAny(body[:min(len(body), 1)], "#/!>")
}

// line widens a tag that is alone on its line to the whole line.
func (p *parser) line(start, end int) (before, after int) {
	lineStart := len(strings.TrimRight(p.src[:start], " \t"))
	rest := p.src[end:]
	lineEnd := len(rest) - len(strings.TrimLeft(rest, " \t\r"))
	if lineStart > 0 && p.src[lineStart-1] != '\n' || lineEnd < len(rest) && rest[lineEnd] != '\n' {
		return start, end
	}
	lineEnd = min(lineEnd+1, len(rest))
	return max(lineStart, p.pos), end + lineEnd
}

// read acts on a tag.
func (p *parser) read(at int, body string) error {
	switch word, rest := body, strings.TrimSpace(body[min(len(body), 1):]); {
	case body == "":
		return faultf(at, "this tag is empty")
	case word[0] == '!':
		return nil
	case word[0] == '#':
		return p.open(at, strings.Fields(rest))
	case word[0] == '/':
		return p.close(at, rest)
	case word[0] == '>':
		return p.include(at, strings.Fields(rest))
	case word == "else" || strings.HasPrefix(word, "else "):
		return p.otherwise(at, strings.Fields(word)[1:])
	}
	if len(strings.Fields(body)) > 1 {
		return faultf(at, "{{%s}}: a value is one name without arguments; there are no functions", clip(body))
	}
	value, err := p.path(at, body)
	if err != nil {
		return err
	}
	p.add(show{value})
	return nil
}

func (p *parser) path(at int, s string) (path, error) {
	if strings.HasPrefix(s, ".") && !strings.HasPrefix(s, "../") {
		return path{}, faultf(at, "{{%s}} begins with a dot; write {{%s}}, or {{this}} for the element of a loop", clip(s), clip(strings.TrimLeft(s, ".")))
	}
	loops := p.loops
	if p.outer {
		loops = -1
	}
	return readPath(at, s, loops)
}

func (p *parser) open(at int, words []string) error {
	if len(words) == 0 || words[0] != "if" && words[0] != "unless" && words[0] != "each" {
		return faultf(at, "there is no such block; there are {{#if}}, {{#unless}} and {{#each}}")
	}
	if len(words) != 2 {
		return faultf(at, "{{#%s}} takes the name of one value", words[0])
	}
	return p.push(at, words[0], words[1], false)
}

func (p *parser) push(at int, word, name string, chained bool) error {
	value, err := p.path(at, name)
	if err != nil {
		return err
	}
	if len(p.blocks) > maxNesting {
		return faultf(at, "blocks may be nested %d deep at most", maxNesting)
	}
	if word == "each" {
		if p.loops++; p.loops > maxLoops {
			return faultf(at, "loops may be nested %d deep at most", maxLoops)
		}
	}
	p.blocks = append(p.blocks, &block{at: at, word: word, path: value, chained: chained})
	return nil
}

// otherwise reads else, and else if as a block of its own inside the else.
func (p *parser) otherwise(at int, words []string) error {
	b := p.top()
	switch {
	case b.word == "":
		return faultf(at, "this {{else}} belongs to no block")
	case b.split:
		return faultf(at, "this block has an {{else}} already")
	}
	b.first, b.list, b.split = b.list, nil, true
	if b.word == "each" { // what is there instead of a loop is outside of it
		p.loops--
	}
	switch {
	case len(words) == 0:
		return nil
	case len(words) == 2 && words[0] == "if":
		return p.push(at, "if", words[1], true)
	}
	return faultf(at, "write {{else}} or {{else if name}}")
}

func (p *parser) close(at int, word string) error {
	for p.top().chained {
		p.pop()
	}
	switch b := p.top(); {
	case b.word == "":
		return faultf(at, "{{/%s}} closes nothing", clip(word))
	case b.word != word:
		line, _ := position(p.src, b.at)
		return faultf(at, "{{/%s}} cannot close the {{#%s}} of line %d", clip(word), b.word, line)
	}
	p.pop()
	return nil
}

// pop closes the innermost block.
func (p *parser) pop() {
	b := p.top()
	p.blocks = p.blocks[:len(p.blocks)-1]
	first, second := b.list, []node(nil)
	if b.split {
		first, second = b.first, b.list
	}
	if b.word == "each" {
		if !b.split {
			p.loops--
		}
		p.add(loop{at: b.at, path: b.path, body: first, otherwise: second})
		return
	}
	p.add(branch{at: b.at, path: b.path, unless: b.word == "unless", then: first, otherwise: second})
}

func (p *parser) include(at int, words []string) error {
	if len(words) != 1 {
		return faultf(at, "write {{> name}}; an include takes no arguments")
	}
	p.add(include{at: at, name: words[0]})
	return nil
}

// includes lists what a text includes, each name once.
func includes(nodes []node) []include {
	var list []include
	seen := map[string]bool{}
	var walk func([]node)
	walk = func(nodes []node) {
		for _, n := range nodes {
			switch n := n.(type) {
			case include:
				if !seen[n.name] {
					seen[n.name] = true
					list = append(list, n)
				}
			case branch:
				walk(n.then)
				walk(n.otherwise)
			case loop:
				walk(n.body)
				walk(n.otherwise)
			}
		}
	}
	walk(nodes)
	return list
}
