package reference

import (
	"encoding/json"
	"fmt"
	"strings"
)

// word is a piece of text that may lead to the schema it names.
type word struct {
	Text string
	Link string
}

func plain(text string) []word { return []word{{Text: text}} }

// refName is the last step of a reference.
func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// anchor is the id of a schema on the page.
func anchor(name string) string { return "schema-" + name }

// kind says in a few words what values a schema takes.
func kind(s *schema) []word {
	switch {
	case s == nil:
		return plain("anything")
	case s.Ref != "":
		name := refName(s.Ref)
		return []word{{Text: name, Link: anchor(name)}}
	case s.Const != nil:
		return plain(literal(s.Const))
	case len(s.Enum) > 0:
		return plain(literals(s.Enum))
	case len(s.OneOf) > 0:
		return either(s.OneOf)
	case len(s.AnyOf) > 0:
		return either(s.AnyOf)
	case len(s.Type) == 0 && len(s.AllOf) == 1:
		return kind(s.AllOf[0])
	case len(s.Type) == 0:
		return plain("anything")
	}
	var words []word
	for i, t := range s.Type {
		if i > 0 {
			words = append(words, word{Text: " or "})
		}
		words = append(words, s.kindOf(t)...)
	}
	return append(words, plain(s.bounds())...)
}

func (s *schema) kindOf(t string) []word {
	switch {
	case t == "array" && s.Items != nil:
		return append(plain("list of "), kind(s.Items)...)
	case t == "object" && s.Additional.schema != nil && len(s.Properties) == 0:
		return append(plain("object of "), kind(s.Additional.schema)...)
	case t == "string" && s.Format == "date-time":
		return plain("time (RFC 3339)")
	case t == "string" && s.Format != "":
		return plain(s.Format)
	}
	return plain(t)
}

func either(list []*schema) []word {
	var words []word
	for i, s := range list {
		if i > 0 {
			words = append(words, word{Text: " or "})
		}
		words = append(words, kind(s)...)
	}
	return words
}

// bounds says how small or large a value may be.
func (s *schema) bounds() string {
	var b strings.Builder
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		fmt.Fprintf(&b, ", %s to %s", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		fmt.Fprintf(&b, ", at least %s", *s.Minimum)
	case s.Maximum != nil:
		fmt.Fprintf(&b, ", at most %s", *s.Maximum)
	}
	if s.MaxLength != nil {
		fmt.Fprintf(&b, ", at most %d characters", *s.MaxLength)
	}
	if s.MaxItems != nil {
		fmt.Fprintf(&b, ", at most %d", *s.MaxItems)
	}
	if s.Default != nil {
		fmt.Fprintf(&b, "; %s if left out", literal(s.Default))
	}
	return b.String()
}

func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

func literals(list []any) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = literal(v)
	}
	return strings.Join(words, ", ")
}
