package template

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/postrider/postrider/internal/handlebars"
	"github.com/postrider/postrider/internal/message"
)

// maxParts bounds the layouts and partials of one template.
const maxParts = 50

// gather reads the published layouts and partials that a template is made of,
// and puts them into its body. What is wrong with the texts that name them is
// found when they are compiled.
func (s *Service) gather(ctx context.Context, t *message.Template, faults *message.Faults) error {
	b := &t.Current.Body
	b.Included = map[string]message.TemplateBody{}
	wanted := included(b)
	if b.Layout != "" {
		wanted = append(wanted, b.Layout)
	}
	for len(wanted) > 0 && len(b.Included) <= maxParts {
		parts, err := s.published.PublishedParts(ctx, t.TenantID, wanted)
		if err != nil {
			return err
		}
		wanted = take(b, parts)
	}
	if _, ok := b.Included[b.Layout]; b.Layout != "" && !ok {
		faults.Add("/layout", message.CodeInvalidField, "there is no published layout of this alias")
	}
	return nil
}

// take notes parts that were read and returns what those include that was not
// read yet.
func take(b *message.TemplateBody, parts map[string]Part) []string {
	var more []string
	for _, alias := range slices.Sorted(maps.Keys(parts)) {
		part := parts[alias]
		if (part.Kind == message.TemplateLayout) != (alias == b.Layout) {
			continue // a layout is not a partial, nor the other way round
		}
		part.Body.Included = nil // of its own; here all come from one look
		b.Included[alias] = part.Body
		more = append(more, included(&part.Body)...)
	}
	more = slices.DeleteFunc(more, func(alias string) bool { _, ok := b.Included[alias]; return ok })
	slices.Sort(more)
	return slices.Compact(more)
}

// included lists what a body includes in any language. A text that cannot be
// read includes nothing: compiling it says why.
func included(b *message.TemplateBody) []string {
	texts := append(slices.Collect(maps.Values(b.Locales)), b.TemplateText)
	var names []string
	for _, text := range texts {
		more, err := handlebars.Includes(handlebars.Part{HTML: text.HTML, Text: text.Text})
		if err != nil {
			continue
		}
		for _, name := range more {
			if name != handlebars.Content && validAlias(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// maxCompiled bounds the sources of all languages with what they include, in
// bytes: all are compiled when a template is saved.
const maxCompiled = 8 << 20

// maxRefused is the number of languages after which no more are looked at: to find the
// place of a fault costs more than to compile what has none.
const maxRefused = 5

// compile checks a template in every language it has.
func (s *Service) compile(ctx context.Context, t *message.Template, faults *message.Faults) error {
	b := &t.Current.Body
	all := map[string]bool{"": true}
	for locale := range b.Locales {
		all[locale] = true
	}
	for _, part := range b.Included {
		for locale := range part.Locales {
			all[locale] = true
		}
	}
	if len(all) > 2*maxLocales {
		faults.Add("/locales", message.CodeTooLarge, "the template and what it includes have too many locales together")
		return nil
	}
	total, refused := 0, 0
	for _, locale := range slices.Sorted(maps.Keys(all)) {
		src := source(b, locale)
		if total += sizeOf(&src); total > maxCompiled {
			faults.Add("/locales", message.CodeTooLarge, fmt.Sprintf(
				"the texts of all languages, each with what it includes, are more than %d bytes", maxCompiled))
			return nil
		}
		err := s.inTurn(ctx, func() error { return compileOne(t, locale, src) })
		if e, ok := errors.AsType[*handlebars.Error](err); ok {
			if at := placeOf(b, locale, e.Part); !faults.At(at) {
				faults.Add(at, message.CodeInvalidTemplate, explain(e, t, locale))
			}
			if refused++; refused >= maxRefused {
				return nil
			}
		} else if err != nil {
			return fmt.Errorf("compile: %w", err)
		}
	}
	return nil
}

// compileOne checks a template in one language. A refusal is a *handlebars.Error.
func compileOne(t *message.Template, locale string, src handlebars.Source) error {
	if t.Kind == message.TemplateLayout { // what is around nothing yet is checked around anything
		layout := src.Body
		src.Layout, src.Body = &layout, handlebars.Part{HTML: "x", Text: "x"}
	}
	if t.Kind == message.TemplatePartial { // so that one that leads back to itself is found out
		src.Partials[t.Alias] = src.Body
	}
	_, err := handlebars.Compile(src)
	return err
}

// explain says which text is refused: a layout under its alias, and the language where
// it is not the template's own.
func explain(e *handlebars.Error, t *message.Template, locale string) string {
	copied := *e
	b := &t.Current.Body
	alias := e.Name
	switch {
	case e.Name != handlebars.Layout:
	case t.Kind == message.TemplateLayout:
		copied.Name = ""
	default:
		alias = b.Layout
		copied.Name += " " + alias
	}
	if part, ok := b.Included[alias]; ok && copied.Name != "" {
		if found := near(&part, locale, func(t message.TemplateText) bool { return t.HTML+t.Text != "" }); found != "" {
			copied.Name += " (" + found + ")"
		}
	}
	return copied.Error()
}

// placeOf is the field that a text of the given locale comes from.
func placeOf(b *message.TemplateBody, locale, part string) string {
	found := near(b, locale, func(t message.TemplateText) bool {
		if part == "subject" {
			return t.Subject != ""
		}
		return t.HTML+t.Text != ""
	})
	if found == "" {
		return "/" + part
	}
	return message.Pointer("locales", found, part)
}
