package template

import (
	"strings"

	"github.com/postrider/postrider/internal/handlebars"
	"github.com/postrider/postrider/internal/message"
)

// maxLocale is the length of the longest locale.
const maxLocale = 35

// canonical is the one form of a locale (RFC 5646, 2.1.1): de, de-AT, zh-Hant-TW.
// De_at is taken for de-AT. ok is false for what is none.
func canonical(s string) (locale string, ok bool) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '_' })
	if len(s) > maxLocale || len(parts) == 0 || strings.Count(s, "-")+strings.Count(s, "_") != len(parts)-1 {
		return "", false
	}
	for i, part := range parts {
		if !subtag(part, i == 0) {
			return "", false
		}
		switch lower := strings.ToLower(part); {
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(lower[:1]) + lower[1:]
		default:
			parts[i] = lower
		}
	}
	return strings.Join(parts, "-"), true
}

// subtag is 1 to 8 letters or digits; a language is 2 or 3 letters.
func subtag(s string, language bool) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (language || r < '0' || r > '9') {
			return false
		}
	}
	if language {
		return len(s) == 2 || len(s) == 3
	}
	return len(s) <= 8
}

// fallback calls has with the locale, then with each that is more general, and
// returns the first that has; "" is the template's own language.
func fallback(locale string, has func(string) bool) string {
	for locale != "" && !has(locale) {
		locale = locale[:max(strings.LastIndexByte(locale, '-'), 0)]
	}
	return locale
}

// effective is the nearest locale to the one asked for that any text of the body
// is in: what the body is in that one, it is in the one asked for.
func effective(b *message.TemplateBody, asked string) string {
	return fallback(asked, func(locale string) bool {
		if _, ok := b.Locales[locale]; ok {
			return true
		}
		for _, part := range b.Included {
			if _, ok := part.Locales[locale]; ok {
				return true
			}
		}
		return false
	})
}

// wording is what a body says in a locale: the subject of the nearest locale that
// has one, and HTML and text of the nearest that has either. The two come from one
// place, so that both forms of a mail are in one language.
func wording(b *message.TemplateBody, locale string) message.TemplateText {
	w := b.Locales[near(b, locale, func(t message.TemplateText) bool { return t.HTML+t.Text != "" })]
	if w.HTML+w.Text == "" {
		w.HTML, w.Text = b.HTML, b.Text
	}
	w.Subject = b.Locales[near(b, locale, func(t message.TemplateText) bool { return t.Subject != "" })].Subject
	if w.Subject == "" {
		w.Subject = b.Subject
	}
	return w
}

// near is the nearest locale of which the body has what is asked for; "": none.
func near(b *message.TemplateBody, locale string, has func(message.TemplateText) bool) string {
	return fallback(locale, func(l string) bool { return has(b.Locales[l]) })
}

// source is what the mail is made from in a locale.
func source(b *message.TemplateBody, locale string) handlebars.Source {
	w := wording(b, locale)
	s := handlebars.Source{
		Subject: w.Subject, Body: handlebars.Part{HTML: w.HTML, Text: w.Text}, Partials: map[string]handlebars.Part{},
	}
	for alias, part := range b.Included {
		w := wording(&part, locale)
		if piece := (handlebars.Part{HTML: w.HTML, Text: w.Text}); alias == b.Layout {
			s.Layout = &piece
		} else {
			s.Partials[alias] = piece
		}
	}
	return s
}
