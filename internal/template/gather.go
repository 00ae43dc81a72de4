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
	total := 0
	for _, locale := range slices.Sorted(maps.Keys(all)) {
		src := source(b, locale)
		if total += sizeOf(&src); total > maxCompiled {
			faults.Add("/locales", message.CodeTooLarge, fmt.Sprintf(
				"the texts of all languages, each with what it includes, are more than %d bytes", maxCompiled))
			return nil
		}
		err := s.inTurn(ctx, func() error { return compileOne(t, locale, src, faults) })
		if err != nil {
			return err
		}
	}
	return nil
}

func compileOne(t *message.Template, locale string, src handlebars.Source, faults *message.Faults) error {
	if t.Kind == message.TemplateLayout { // what is around nothing yet is checked around anything
		layout := src.Body
		src.Layout, src.Body = &layout, handlebars.Part{HTML: "x", Text: "x"}
	}
	if t.Kind == message.TemplatePartial { // so that one that leads back to itself is found out
		src.Partials[t.Alias] = src.Body
	}
	_, err := handlebars.Compile(src)
	var refused *handlebars.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		if at := placeOf(&t.Current.Body, locale, refused.Part); !faults.At(at) {
			faults.Add(at, message.CodeInvalidTemplate, explain(refused, t.Kind))
		}
		return nil
	}
	return fmt.Errorf("compile: %w", err)
}

func explain(e *handlebars.Error, kind message.TemplateKind) string {
	copied := *e
	if kind == message.TemplateLayout && copied.Name == "layout" {
		copied.Name = ""
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
