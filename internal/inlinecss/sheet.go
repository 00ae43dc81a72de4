package inlinecss

import (
	"slices"
	"strings"
)

// declaration is a property with its value.
type declaration struct {
	property, value string
	important       bool
}

// rule is one selector with its declarations.
type rule struct {
	selector selector
	weight   [3]int // ids, classes, elements (CSS Selectors 3, 9)
	declared []declaration
}

// sheet reads a style sheet and appends the rules that can be inlined. What is
// in an at-rule, and what depends on more than elements and their names, is left
// to programs that read style sheets.
func sheet(css string, rules []rule) []rule {
	css = withoutComments(css)
	for css != "" && len(rules) <= MaxRules {
		css = strings.TrimLeft(css, " \t\r\n\f;}")
		end := upTo(css, "{;")
		if end == len(css) {
			break
		}
		head := strings.TrimSpace(css[:end])
		if css[end] == ';' { // @import
			css = css[end+1:]
			continue
		}
		body, rest := block(css[end+1:])
		css = rest
		if strings.HasPrefix(head, "@") {
			continue
		}
		declared := declarations(body)
		for part := range strings.SplitSeq(head, ",") {
			if len(rules) > MaxRules {
				break
			}
			if s, weight, ok := readSelector(part); ok && len(declared) > 0 {
				rules = append(rules, rule{selector: s, weight: weight, declared: declared})
			}
		}
	}
	return rules
}

// withoutComments also takes out the marks that once hid style sheets from
// programs that knew none.
func withoutComments(css string) string {
	css = strings.NewReplacer("<!--", " ", "-->", " ").Replace(css)
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(css, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		_, css, _ = strings.Cut(rest, "*/")
	}
}

// upTo is the place of the first of the given bytes outside of quotes and
// parentheses, or the length.
func upTo(s, stops string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case depth == 0 && strings.IndexByte(stops, c) >= 0:
			return i
		}
	}
	return len(s)
}

// block splits what is behind a brace at the brace that closes it.
func block(s string) (body, rest string) {
	at := 0
	for open := 1; open > 0; at++ {
		n := upTo(s[at:], "{}")
		if at += n; at >= len(s) {
			return s, ""
		}
		if s[at] == '{' {
			open++
		} else {
			open--
		}
	}
	return s[:at-1], s[at:]
}

// declarations reads what is between the braces of a rule, or in an attribute.
func declarations(s string) []declaration {
	var list []declaration
	for s != "" {
		end := upTo(s, ";")
		name, value, ok := strings.Cut(s[:end], ":")
		s = s[min(end+1, len(s)):]
		d := declaration{property: strings.ToLower(strings.TrimSpace(name)), value: strings.TrimSpace(value)}
		if plain, ok := unimportant(d.value); ok {
			d.value, d.important = plain, true
		}
		if ok && d.value != "" && property(d.property) && !strings.ContainsAny(d.value, "{}") {
			list = append(list, d)
		}
	}
	return list
}

// unimportant is a value without the mark !important, if it has it. The end is compared
// in place: in lower case, other letters of the value can be of another length.
func unimportant(value string) (plain string, ok bool) {
	const mark = "important"
	at := len(value) - len(mark)
	if at < 0 || !strings.EqualFold(value[at:], mark) {
		return value, false
	}
	plain, ok = strings.CutSuffix(strings.TrimSpace(value[:at]), "!")
	return strings.TrimSpace(plain), ok
}

func property(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-0123456789") == ""
}

// merge puts declarations in the order of their weight, of which the last of a
// property holds, into one list.
func merge(lists ...[]declaration) string {
	var all []declaration
	last := map[string]int{}
	for _, list := range lists {
		for _, d := range list {
			last[d.property] = len(all)
			all = append(all, d)
		}
	}
	var b strings.Builder
	for i, d := range all {
		if last[d.property] != i {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(";")
		}
		b.WriteString(d.property + ":" + d.value)
	}
	return b.String()
}

// sortByWeight puts the rule that wins last. Equals stay in their order.
func sortByWeight(rules []*rule) {
	slices.SortStableFunc(rules, func(a, b *rule) int { return slices.Compare(a.weight[:], b.weight[:]) })
}
