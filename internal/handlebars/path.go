package handlebars

import (
	"slices"
	"strings"
)

const (
	maxName  = 100 // bytes of one name
	maxSteps = 10  // names in one path
)

// path says where a value is: names to follow from the scope that up leads to.
type path struct {
	spot
	root  bool     // from the outermost scope
	up    int      // so many loops further out
	own   string   // index, first or last of the loop; then there are no names
	names []string // none: the scope's own value
}

// loopWords are what a loop tells beside its element.
func loopWords() []string { return []string{"index", "first", "last"} }

// reserved are words that mean something in this language, or in one of those
// it is easily taken for. A value of such a name would hide a mistake.
func reserved() []string {
	return []string{
		"if", "else", "unless", "each", "this", "end", "with", "range", "define", "block", "template", "call", "lookup",
		"log", "partial", "include", "import", "env", "true", "false", "null", "nil", "undefined",
	}
}

// ValidName reports whether a value can have the name: up to 100 ASCII letters,
// digits, underscores and dashes, of which the first is a letter or an
// underscore, and no word of the language.
func ValidName(name string) bool {
	return isName(name) && !slices.Contains(reserved(), name)
}

func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if letter := c == '_' || isLetter(c); !letter && (i == 0 || c != '-' && !isAlphanumeric(c)) {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}

// readPath reads name, name.name, list.0, this, this.name, ../name, @root.name
// and @index, @first, @last. Loops is how many loops stand around it, or -1
// where that is not known.
func readPath(at int, s string, loops int) (path, error) {
	p := path{spot: spot{at: at}}
	whole := s
	if word, ok := strings.CutPrefix(s, "@"); ok && slices.Contains(loopWords(), word) {
		p.own = word
		if loops == 0 {
			return p, faultf(at, "{{%s}} has a meaning only inside {{#each}}", whole)
		}
		return p, nil
	}
	if s == "@root" || strings.HasPrefix(s, "@root.") {
		p.root = true
		s = strings.TrimPrefix(strings.TrimPrefix(s, "@root"), ".")
	}
	for !p.root && strings.HasPrefix(s, "../") {
		p.up++
		s = s[len("../"):]
	}
	if loops >= 0 && p.up > loops {
		return p, faultf(at, "%q leads out of the outermost {{#each}}", whole)
	}
	if s == "this" || strings.HasPrefix(s, "this.") {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "this"), ".")
		if s == "" {
			return p, nil
		}
	} else if first, _, _ := strings.Cut(s, "."); slices.Contains(reserved(), first) {
		return p, faultf(at, "%q is a reserved word and cannot be a name", first)
	}
	if s == "" {
		return p, faultf(at, "%q names no value", whole)
	}
	return p.follow(s, whole)
}

func (p path) follow(s, whole string) (path, error) {
	for i, name := range strings.Split(s, ".") {
		switch {
		case i >= maxSteps:
			return p, faultf(p.at, "a path may have %d names at most", maxSteps)
		case !isName(name) && (i == 0 || !isNumber(name)):
			return p, faultf(p.at, "%q is not the name of a value; a name has letters, digits, underscores and dashes, and dots go between names", clip(whole))
		}
		p.names = append(p.names, name)
	}
	return p, nil
}

// clip shortens what a stranger wrote for an error.
func clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}
