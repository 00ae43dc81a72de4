package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/handlebars"
	"github.com/postrider/postrider/internal/message"
)

const (
	maxName      = 200 // characters
	maxAlias     = 100
	maxVariables = 100
	maxLocales   = 50
	maxReplyTo   = 50
	maxSubject   = 2 << 10 // bytes, as of a message
	maxBody      = 2 << 20 // bytes of all languages together
)

// apply puts an edit into a template and notes what is wrong with it. A template
// that is new has no kind yet; the kind of another cannot be changed.
func apply(t *message.Template, e *message.TemplateEdit, faults *message.Faults) {
	b := &t.Current.Body
	for _, field := range []struct{ to, from *string }{
		{&t.Name, e.Name}, {&t.Alias, e.Alias}, {&b.From, e.From}, {&b.Subject, e.Subject}, {&b.HTML, e.HTML}, {&b.Text, e.Text}, {&b.Layout, e.Layout},
	} {
		set(field.to, field.from)
	}
	set(&b.ReplyTo, e.ReplyTo)
	set(&b.Variables, e.Variables)
	set(&b.GenerateText, e.GenerateText)
	set(&b.InlineCSS, e.InlineCSS)
	if e.Locales != nil {
		b.Locales = locales(*e.Locales, faults)
	}
	kind := message.TemplateEmail
	if e.Kind != nil && *e.Kind != "" {
		kind = message.TemplateKind(*e.Kind)
	}
	switch {
	case t.Kind == "":
		t.Kind = kind
	case e.Kind != nil && kind != t.Kind:
		faults.Add("/kind", message.CodeInvalidField, fmt.Sprintf("cannot be changed; this template is of the kind %s", t.Kind))
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// locales takes the texts under the one form of their locales.
func locales(given map[string]message.TemplateText, faults *message.Faults) map[string]message.TemplateText {
	list := make(map[string]message.TemplateText, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := message.Pointer("locales", name)
		locale, ok := canonical(name)
		if _, twice := list[locale]; !ok {
			faults.Add(at, message.CodeInvalidField, "must be a locale such as de or de-AT")
		} else if twice {
			faults.Add(at, message.CodeInvalidField, "is given twice, as "+locale)
		}
		list[locale] = given[name]
	}
	if len(list) > maxLocales {
		faults.Add("/locales", message.CodeTooLarge, fmt.Sprintf("has %d locales, at most %d are allowed", len(list), maxLocales))
	}
	return list
}

// check notes what is wrong with a template beside its language.
func check(t *message.Template, faults *message.Faults) {
	b := &t.Current.Body
	if n := utf8.RuneCountInString(t.Name); n == 0 || n > maxName || strings.ContainsAny(t.Name, "\r\n") {
		faults.Add("/name", missingOr(t.Name), fmt.Sprintf("give a name of 1 to %d characters on one line", maxName))
	}
	if t.Alias != "" && !validAlias(t.Alias) {
		faults.Add("/alias", message.CodeInvalidField, fmt.Sprintf(
			"must be 1 to %d ASCII letters, digits, underscores, dashes and dots, begin with a letter or digit, and be no id nor %q", maxAlias, handlebars.Content))
	}
	if !t.Kind.Valid() {
		faults.Add("/kind", message.CodeInvalidField, "must be email, layout or partial")
	}
	checkPeople(b, faults)
	checkVariables(b.Variables, faults)
	checkRole(t, faults)
	checkSize(b, faults)
}

func missingOr(s string) message.Code {
	if s == "" {
		return message.CodeMissingField
	}
	return message.CodeInvalidField
}

// validAlias reports whether a template can be named so: it is never taken for
// an id, nor for what a layout includes as content.
func validAlias(s string) bool {
	if len(s) > maxAlias || s == handlebars.Content || message.ParseTemplateName(s).Alias == "" {
		return false
	}
	for i, r := range s {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alnum && (i == 0 || r != '-' && r != '_' && r != '.') {
			return false
		}
	}
	return s != ""
}

func checkPeople(b *message.TemplateBody, faults *message.Faults) {
	if b.From != "" {
		if _, err := message.ParseAddress(b.From); err != nil {
			faults.Add("/from", message.CodeInvalidAddress, err.Error())
		}
	}
	if len(b.ReplyTo) > maxReplyTo {
		faults.Add("/reply_to", message.CodeTooLarge, fmt.Sprintf("has %d addresses, at most %d are allowed", len(b.ReplyTo), maxReplyTo))
		return
	}
	for i, address := range b.ReplyTo {
		if _, err := message.ParseAddress(address); err != nil {
			faults.Add(message.Pointer("reply_to", strconv.Itoa(i)), message.CodeInvalidAddress, err.Error())
		}
	}
}

func checkVariables(list []message.Variable, faults *message.Faults) {
	if len(list) > maxVariables {
		faults.Add("/variables", message.CodeTooLarge, fmt.Sprintf("has %d variables, at most %d are allowed", len(list), maxVariables))
		return
	}
	seen := map[string]bool{}
	for i, v := range list {
		at := message.Pointer("variables", strconv.Itoa(i))
		switch {
		case !handlebars.ValidName(v.Key):
			faults.Add(at+"/key", missingOr(v.Key), "give a name of letters, digits, underscores and dashes that is no word of the language")
		case seen[v.Key]:
			faults.Add(at+"/key", message.CodeInvalidField, "is declared twice")
		}
		seen[v.Key] = true
		switch v.Type {
		case message.VariableString, message.VariableNumber, message.VariableBoolean, message.VariableList, message.VariableObject:
			if v.Fallback != nil && typeOf(v.Fallback) != v.Type {
				faults.Add(at+"/fallback_value", message.CodeInvalidField, fmt.Sprintf("must be a %s, not a %s", v.Type, typeOf(v.Fallback)))
			}
		default:
			faults.Add(at+"/type", missingOr(string(v.Type)), "must be string, number, boolean, list or object")
		}
	}
}

// checkRole holds a template against what its kind is for.
func checkRole(t *message.Template, faults *message.Faults) {
	b := &t.Current.Body
	if b.HTML == "" && b.Text == "" {
		faults.Add("/html", message.CodeMissingField, "give html, text or both")
	}
	if t.Kind != message.TemplateLayout && t.Kind != message.TemplatePartial {
		return
	}
	for _, field := range []struct {
		pointer string
		given   bool
	}{
		{"/from", b.From != ""}, {"/reply_to", len(b.ReplyTo) > 0}, {"/subject", b.Subject != ""}, {"/layout", b.Layout != ""},
		{"/generate_text", b.GenerateText}, {"/inline_css", b.InlineCSS},
	} {
		if field.given {
			faults.Add(field.pointer, message.CodeInvalidField, fmt.Sprintf("has no meaning in a %s", t.Kind))
		}
	}
	if t.Alias == "" {
		faults.Add("/alias", message.CodeMissingField, fmt.Sprintf("give the name by which this %s is included", t.Kind))
	}
}

func checkSize(b *message.TemplateBody, faults *message.Faults) {
	total := 0
	note := func(pointer string, t message.TemplateText) {
		total += len(t.HTML) + len(t.Text) + len(t.Subject)
		if len(t.Subject) > maxSubject {
			faults.Add(pointer+"/subject", message.CodeHeaderTooLarge, fmt.Sprintf("must be at most %d bytes", maxSubject))
		}
	}
	note("", b.TemplateText)
	if fallbacks, err := json.Marshal(b.Variables); err == nil {
		total += len(fallbacks)
	}
	for _, locale := range slices.Sorted(maps.Keys(b.Locales)) {
		note(message.Pointer("locales", locale), b.Locales[locale])
	}
	if total > maxBody {
		faults.Add("", message.CodeTooLarge, fmt.Sprintf("the texts of all languages and the fallback values are %d bytes, at most %d are allowed", total, maxBody))
	}
}
