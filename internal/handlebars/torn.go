package handlebars

import "strings"

// torn looks for names of tags with an equals sign, also those that are put together of
// pieces: <a!='{{x}}'>, <a{{#if x}}b='{{y}}'{{/if}}>. html/template takes what is behind its
// notion of a name for an attribute, and a program takes it for the rest of the name, in
// which a blank of the value begins attributes of its own.
type torn struct {
	found bool
	at    spot // of the equals sign
}

// list follows the ways through nodes. Open says whether what comes before them can end
// inside the name of a tag, and so does the answer of what they are the end of.
func (t *torn) list(nodes []node, open bool) bool {
	for _, n := range nodes {
		switch n := n.(type) {
		case literal:
			open = t.literal(n, open)
		case branch:
			then := t.list(n.then, open)
			open = t.list(n.otherwise, open) || then
		case loop:
			once := t.list(n.body, open)
			again := t.list(n.body, open || once)
			open = t.list(n.otherwise, open) || once || again
		}
	}
	return open
}

// afterName is what ends the name of a tag.
const afterName = " \t\r\n\f/>"

func (t *torn) literal(n literal, open bool) bool {
	if open {
		open = t.name(n, 0)
	}
	for i := range len(n.text) - 1 {
		if n.text[i] == '<' && isName(n.text[i+1:i+2]) {
			open = t.name(n, i+1)
		}
	}
	return open
}

// name reads what is left of a name, and reports whether it goes on behind the text.
func (t *torn) name(n literal, from int) bool {
	name, ended := upTo(n.text[from:], afterName)
	if i := strings.IndexByte(name, '='); i >= 0 && !t.found {
		t.found, t.at = true, spot{n.in, n.at + from + i}
	}
	return !ended
}

func upTo(text, chars string) (before string, found bool) {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i], true
	}
	return text, false
}
