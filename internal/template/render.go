package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/handlebars"
	"github.com/postrider/postrider/internal/inlinecss"
	"github.com/postrider/postrider/internal/message"
)

// Render fills a published template with values, for a message that is being
// accepted. The error is a *message.Error with pointers into the draft, or wraps
// message.ErrUnavailable.
func (s *Service) Render(ctx context.Context, tenant int64, use *message.TemplateUse) (message.Rendered, error) {
	var faults message.Faults
	locale := asked(use.Locale, "/template/locale", &faults)
	ref, kind, err := s.find(ctx, tenant, use.Template)
	switch {
	case errors.Is(err, message.ErrNotFound):
		faults.Add("/template/id", message.CodeTemplateNotFound, "there is no such template")
	case err != nil:
		return message.Rendered{}, fmt.Errorf("render template: %w", err)
	case kind != message.TemplateEmail:
		faults.Add("/template/id", message.CodeTemplateNotFound, fmt.Sprintf("is a %s, which is only included in others", kind))
	case ref.Version == 0:
		faults.Add("/template/id", message.CodeTemplateNotFound, "is a draft and has no published version; publish it first")
	}
	if err := faults.Err(); err != nil {
		return message.Rendered{}, err
	}
	return s.renderPublished(ctx, tenant, ref, locale, use.Variables)
}

// find looks up what is published under a name.
func (s *Service) find(ctx context.Context, tenant int64, name string) (ref message.TemplateRef, kind message.TemplateKind, err error) {
	parsed, err := parseName(name)
	if err == nil {
		ref, kind, err = s.published.PublishedTemplate(ctx, tenant, parsed)
	}
	return ref, kind, err
}

// parseName reads an id or an alias. What can be neither is not found.
func parseName(s string) (message.TemplateName, error) {
	name := message.ParseTemplateName(s)
	if name.ID == uuid.Nil && !validAlias(name.Alias) {
		return name, message.ErrNotFound
	}
	return name, nil
}

func (s *Service) renderPublished(ctx context.Context, tenant int64, ref message.TemplateRef, locale string, variables map[string]any) (message.Rendered, error) {
	ready, err := s.ready(ctx, tenant, ref, locale)
	if err != nil {
		return message.Rendered{}, fmt.Errorf("render template: %w", unfit(err))
	}
	return s.fill(ctx, ready, variables, "/template")
}

// unfit says to the caller why a published version cannot be had: it was removed
// just now, or was published when the language took what it no longer takes.
func unfit(err error) error {
	var refused *handlebars.Error
	var faults message.Faults
	switch {
	case errors.Is(err, message.ErrNotFound):
		faults.Add("/template/id", message.CodeTemplateNotFound, "there is no such template any more")
	case errors.As(err, &refused):
		faults.Add("/template/id", message.CodeInvalidTemplate, "cannot be rendered: "+refused.Error())
	default:
		return err
	}
	return faults.Err()
}

// asked is the canonical form of the locale that a caller asks for.
func asked(locale, pointer string, faults *message.Faults) string {
	if locale == "" {
		return ""
	}
	found, ok := canonical(locale)
	if !ok {
		faults.Add(pointer, message.CodeInvalidField, "must be a locale such as de or de-AT")
	}
	return found
}

// ready is a version that is compiled in one language. It holds nothing of the
// other languages.
type ready struct {
	message.Rendered // without its texts
	variables        []message.Variable
	generateText     bool
	inlineCSS        bool
	compiled         *handlebars.Template
	size             int // bytes that it was made from
}

// prepare compiles a body in the locale nearest to the one asked for.
func prepare(ref message.TemplateRef, body *message.TemplateBody, locale string) (*ready, error) {
	locale = effective(body, locale)
	src := source(body, locale)
	compiled, err := handlebars.Compile(src)
	if err != nil {
		return nil, err
	}
	variables := declared(body)
	fallbacks, err := json.Marshal(variables)
	if err != nil {
		return nil, fmt.Errorf("measure variables: %w", err)
	}
	return &ready{
		Rendered:  message.Rendered{Ref: ref, Locale: locale, From: body.From, ReplyTo: body.ReplyTo},
		variables: variables, generateText: body.GenerateText, inlineCSS: body.InlineCSS, compiled: compiled, size: len(fallbacks) + sizeOf(&src),
	}, nil
}

func sizeOf(s *handlebars.Source) int {
	size := len(s.Subject) + len(s.Body.HTML) + len(s.Body.Text)
	if s.Layout != nil {
		size += len(s.Layout.HTML) + len(s.Layout.Text)
	}
	for _, part := range s.Partials {
		size += len(part.HTML) + len(part.Text)
	}
	return size
}

// ready returns a published version compiled, from the cache where it is there.
// A version never changes, so that nothing in the cache grows old.
func (s *Service) ready(ctx context.Context, tenant int64, ref message.TemplateRef, locale string) (*ready, error) {
	key := cacheKey{tenant: tenant, ref: ref, locale: locale}
	if r := s.cache.get(key); r != nil {
		return r, nil
	}
	body, err := s.published.TemplateVersion(ctx, tenant, ref)
	if err != nil {
		return nil, err
	}
	near := cacheKey{tenant: tenant, ref: ref, locale: effective(&body, locale)}
	if r := s.cache.get(near); r != nil {
		s.cache.put(key, r)
		return r, nil
	}
	r, err := s.prepare(ctx, ref, &body, locale)
	if err != nil {
		return nil, err
	}
	s.cache.put(near, r)
	return r, nil
}

// prepare is the function of the same name in its turn.
func (s *Service) prepare(ctx context.Context, ref message.TemplateRef, body *message.TemplateBody, locale string) (r *ready, err error) {
	err = s.inTurn(ctx, func() error {
		r, err = prepare(ref, body, locale)
		return err
	})
	return r, err
}

// fill renders with values. Pointer is where locale and variables stand in the
// request.
func (s *Service) fill(ctx context.Context, r *ready, variables map[string]any, pointer string) (message.Rendered, error) {
	var faults message.Faults
	values := fill(r.variables, variables, pointer+"/variables", &faults)
	if err := faults.Err(); err != nil {
		return message.Rendered{}, err
	}
	rendered := r.Rendered
	rendered.ReplyTo = slices.Clone(rendered.ReplyTo)
	err := s.inTurn(ctx, func() (err error) {
		rendered.TemplateText, err = r.textTwice(ctx, values)
		return err
	})
	if err != nil {
		return message.Rendered{}, misfit(err, pointer)
	}
	return rendered, nil
}

// textTwice asks again for what was not ready in time: a process that is stopped for a
// second, by its host, say, must not refuse an email that is right, one that was enqueued
// for good.
func (r *ready) textTwice(ctx context.Context, values map[string]any) (message.TemplateText, error) {
	text, err := r.text(ctx, values)
	if limit, ok := errors.AsType[*handlebars.LimitError](err); ok && limit.Late {
		text, err = r.text(ctx, values)
	}
	return text, err
}

// text renders the template, and does to its HTML what it is set up to.
func (r *ready) text(ctx context.Context, values map[string]any) (message.TemplateText, error) {
	out, err := r.compiled.Render(ctx, values)
	if err == nil && r.inlineCSS {
		out.HTML, err = inlinecss.Apply(out.HTML)
	}
	if err == nil && r.generateText && out.Text == "" {
		out.Text = plainText(out.HTML)
	}
	return message.TemplateText{Subject: out.Subject, HTML: out.HTML, Text: out.Text}, err
}

// misfit says to the caller what is wrong with the values.
func misfit(err error, pointer string) error {
	var value *handlebars.ValueError
	var limit *handlebars.LimitError
	var style *inlinecss.LimitError
	var faults message.Faults
	switch {
	case errors.As(err, &value):
		code := message.CodeInvalidVariable
		if value.Missing {
			code = message.CodeMissingVariable
		}
		faults.Add(pointer+"/variables"+message.Pointer(value.Path...), code, value.Says())
	case errors.As(err, &limit), errors.As(err, &style):
		faults.Add(orRoot(pointer), message.CodeRenderLimit, "the mail that the template makes of these values "+err.Error())
	default:
		return err
	}
	return faults.Err()
}

func orRoot(pointer string) string {
	if pointer == "" {
		return "/variables"
	}
	return pointer
}

// Try renders a version of an email template and stores nothing. The error is a
// *message.Error with pointers into the trial, or that of the store.
func (s *Service) Try(ctx context.Context, tenant int64, name string, trial message.TemplateTrial) (message.Rendered, error) {
	t, err := s.Template(ctx, tenant, name)
	if err != nil {
		return message.Rendered{}, err
	}
	var faults message.Faults
	locale := asked(trial.Locale, "/locale", &faults)
	switch {
	case t.Kind != message.TemplateEmail:
		faults.Add("", message.CodeInvalidField, fmt.Sprintf("this is a %s; only templates of the kind email can be rendered", t.Kind))
	case trial.Published && t.Published == 0:
		faults.Add("/version", message.CodeInvalidField, "nothing is published yet")
	}
	if err := faults.Err(); err != nil {
		return message.Rendered{}, err
	}
	r, err := s.tried(ctx, &t, trial.Published, locale)
	if err != nil {
		return message.Rendered{}, err
	}
	return s.fill(ctx, r, trial.Variables, "")
}

// tried compiles the version that is tried. A draft is compiled with what is
// published now, as it would be if it were published.
func (s *Service) tried(ctx context.Context, t *message.Template, published bool, locale string) (*ready, error) {
	if published || !t.HasDraft() {
		return s.ready(ctx, t.TenantID, message.TemplateRef{ID: t.ID, Version: t.Published}, locale)
	}
	if err := s.inspect(ctx, t); err != nil {
		return nil, err
	}
	return s.prepare(ctx, message.TemplateRef{ID: t.ID, Version: t.Current.Number}, &t.Current.Body, locale)
}
