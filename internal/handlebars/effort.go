package handlebars

import "strings"

// html/template looks through all that follows in a text at every < that begins no tag,
// and for the end of a script or a style at every sign in it: what it costs grows with
// the square of the length. Such literal text weighs as much as it makes it look through.

const (
	// pace is how many bytes cost as much as a tag.
	pace = 4 << 10
	// skim is how much faster a byte is looked through where only an end tag is searched
	// for, and stop what each < with a slash costs on the way to it.
	skim, stop = 64, 8
	// nest is for a value in a string of a script, of which html/template takes a copy of
	// all that are open at every block behind.
	nest = 20 * pace
)

// decode is how much slower a byte of a string of a style is decoded than looked through.
const decode = 8

const costly = "what begins here costs too much to read; write &lt; for a sign < that begins no tag, and keep scripts, styles and titles short"

// spend notes what html/template looks through for something in the piece.
func (m *markup) spend(t *piece, bytes int) { m.effort[t.of] += bytes }

// search is what it costs to look through text for an end tag.
func search(text string) int { return len(text)/skim + stop*strings.Count(text, "</") }

// signs counts what can begin or end something in a script or a style.
func signs(text string) int {
	n := 0
	for i := range len(text) {
		if strings.IndexByte("\"'`/(){}<-#", text[i]) >= 0 {
			n++
		}
	}
	return n
}

// decoded is what the escapes in the strings of a style cost: html/template decodes what
// is before each of them in its string anew.
func decoded(style string) int {
	sum, begun := 0, 0
	for i := range len(style) {
		switch style[i] {
		case '"', '\'':
			begun = i
		case '\\':
			sum += decode * (i - begun)
		}
	}
	return sum
}
