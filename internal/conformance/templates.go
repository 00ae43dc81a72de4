package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/template"
)

// TemplatePorts is what templates ask of a store.
type TemplatePorts interface {
	template.Store
	template.Published
}

// Templates holds a store to the ports of templates. Open returns one on a
// fresh, migrated database.
func Templates(t *testing.T, open func(t *testing.T, clock *Clock) TemplatePorts) {
	for _, c := range []struct {
		name string
		run  func(*templateBench)
	}{
		{"a template is read as it was saved", caseTemplateSaved},
		{"a change by somebody else is found out", caseTemplateChanged},
		{"an alias belongs to one template of a tenant", caseTemplateAlias},
		{"a published version never changes", caseTemplatePublished},
		{"parts are read as published", caseTemplateParts},
		{"no other tenant's templates are seen", caseTemplateTenants},
		{"pages go by id, both ways", caseTemplatePages},
		{"what is removed is gone with all its versions", caseTemplateRemoved},
		{"old versions are forgotten, the published one is not", caseTemplateOldVersions},
		{"a tenant has a bounded number", caseTemplateLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			c.run(&templateBench{T: t, store: open(t, clock), clock: clock})
		})
	}
}

type templateBench struct {
	*testing.T
	store TemplatePorts
	clock *Clock
}

func (b *templateBench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func templateOf(tenant int64, alias string) *message.Template {
	return &message.Template{
		ID: message.NewID(), TenantID: tenant, Alias: alias, Name: "Order", Kind: message.TemplateEmail,
		Current: message.TemplateVersion{ID: message.NewID(), Number: 1, Body: message.TemplateBody{TemplateText: message.TemplateText{HTML: "one"}}},
	}
}

func (b *templateBench) save(t *message.Template) *message.Template {
	b.Helper()
	b.check(b.store.SaveTemplate(b.Context(), t))
	return b.read(t.TenantID, message.TemplateName{ID: t.ID})
}

func (b *templateBench) read(tenant int64, name message.TemplateName) *message.Template {
	b.Helper()
	t, err := b.store.Template(b.Context(), tenant, name)
	b.check(err)
	return &t
}

func (b *templateBench) publish(t *message.Template) *message.Template {
	b.Helper()
	t.Published = t.Current.Number
	return b.save(t)
}

// draft begins the next version.
func draftOf(t *message.Template, html string) *message.Template {
	t.Current = message.TemplateVersion{ID: message.NewID(), Number: t.Current.Number + 1}
	t.Current.Body.HTML = html
	return t
}

// refusedFor reports whether err names a field with the code.
func refusedFor(err error, pointer string, code message.Code) bool {
	var refused *message.Error
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Fields, func(f message.FieldError) bool {
		return f.Pointer == pointer && f.Code == code
	})
}

func caseTemplateSaved(b *templateBench) {
	want := templateOf(message.DefaultTenant, "order")
	want.Current.Body = message.TemplateBody{
		From: "A <a@example.com>", ReplyTo: []string{"b@example.com"},
		TemplateText: message.TemplateText{Subject: "s {{a}}", HTML: "<p>{{a}}\"'é", Text: "{{a}}\n"},
		Locales:      map[string]message.TemplateText{"de": {Subject: "x", HTML: "y", Text: "z"}},
		Variables: []message.Variable{
			{Key: "a", Type: message.VariableString, Fallback: "x"}, {Key: "n", Type: message.VariableNumber, Fallback: json.Number("1.50")},
			{Key: "l", Type: message.VariableList, Fallback: []any{"x", true, map[string]any{"a": json.Number("1")}}, Optional: true},
		},
		Layout: "frame", GenerateText: true, InlineCSS: true,
		Included: map[string]message.TemplateBody{"frame": {TemplateText: message.TemplateText{HTML: "{{> content}}"}}},
	}
	got := b.save(want)
	equal(b, "current", got.Current, want.Current)
	equal(b, "names", [3]string{got.Alias, got.Name, string(got.Kind)}, [3]string{"order", "Order", "email"})
	equal(b, "numbers", [2]int{got.Revision, got.Published}, [2]int{1, 0})
	equal(b, "times", near(got.CreatedAt, b.clock.Now()) && got.UpdatedAt.Equal(got.CreatedAt) && got.PublishedAt.IsZero(), true)
	b.clock.Advance(time.Hour)
	got.Name = "Orders"
	got = b.publish(got)
	equal(b, "changed", [3]any{got.Name, got.Revision, got.Published}, [3]any{"Orders", 2, 1})
	equal(b, "times", near(got.UpdatedAt, b.clock.Now()) && near(got.PublishedAt, b.clock.Now()) && got.CreatedAt.Before(got.UpdatedAt), true)
	published := got.PublishedAt
	b.clock.Advance(time.Hour)
	got = b.save(draftOf(got, "two"))
	equal(b, "a draft does not change the publication", got.PublishedAt, published)
	equal(b, "draft", got.HasDraft(), true)
}

func caseTemplateChanged(b *templateBench) {
	first := b.save(templateOf(message.DefaultTenant, ""))
	second := *first
	b.save(first)
	equal(b, "late", errors.Is(b.store.SaveTemplate(b.Context(), &second), message.ErrChanged), true)
	gone := templateOf(message.DefaultTenant, "")
	gone.Revision = 1
	equal(b, "gone", errors.Is(b.store.SaveTemplate(b.Context(), gone), message.ErrChanged), true)
	_, err := b.store.Template(b.Context(), message.DefaultTenant, message.TemplateName{ID: gone.ID})
	equal(b, "nothing was made", errors.Is(err, message.ErrNotFound), true)
}

func caseTemplateAlias(b *templateBench) {
	const other = 2
	first := b.save(templateOf(message.DefaultTenant, "order"))
	b.save(templateOf(other, "order"))
	second := templateOf(message.DefaultTenant, "order")
	equal(b, "taken", refusedFor(b.store.SaveTemplate(b.Context(), second), "/alias", message.CodeAliasTaken), true)
	_, err := b.store.Template(b.Context(), message.DefaultTenant, message.TemplateName{ID: second.ID})
	equal(b, "and nothing saved", errors.Is(err, message.ErrNotFound), true)
	first.Alias = "orders"
	b.save(first)
	equal(b, "freed", b.save(second).Alias, "order")
	equal(b, "found", b.read(message.DefaultTenant, message.TemplateName{Alias: "orders"}).ID, first.ID)
	third := b.read(message.DefaultTenant, message.TemplateName{ID: second.ID})
	third.Alias = ""
	equal(b, "given up", b.save(third).Alias, "")
}

func (b *templateBench) version(ref message.TemplateRef) string {
	b.Helper()
	body, err := b.store.TemplateVersion(b.Context(), message.DefaultTenant, ref)
	b.check(err)
	return body.HTML
}

func caseTemplatePublished(b *templateBench) {
	t := b.save(templateOf(message.DefaultTenant, "order"))
	ref, kind, err := b.store.PublishedTemplate(b.Context(), message.DefaultTenant, message.TemplateName{Alias: "order"})
	b.check(err)
	equal(b, "before", [3]any{ref.ID, ref.Version, kind}, [3]any{t.ID, 0, message.TemplateEmail})
	t = b.publish(t)
	t.Current.Body.HTML = "other"
	equal(b, "overwriting", errors.Is(b.store.SaveTemplate(b.Context(), t), message.ErrChanged), true)
	one := message.TemplateRef{ID: t.ID, Version: 1}
	equal(b, "kept", b.version(one), "one")
	t = b.save(draftOf(b.read(message.DefaultTenant, message.TemplateName{ID: t.ID}), "two"))
	t.Current.Body.HTML = "two, better"
	t = b.save(t)
	ref, _, err = b.store.PublishedTemplate(b.Context(), message.DefaultTenant, message.TemplateName{ID: t.ID})
	b.check(err)
	equal(b, "beside a draft", ref, one)
	b.publish(t)
	ref, _, err = b.store.PublishedTemplate(b.Context(), message.DefaultTenant, message.TemplateName{ID: t.ID})
	b.check(err)
	equal(b, "after", ref.Version, 2)
	equal(b, "both", [2]string{b.version(one), b.version(ref)}, [2]string{"one", "two, better"})
}

func caseTemplateParts(b *templateBench) {
	part := func(alias string, kind message.TemplateKind) *message.Template {
		t := templateOf(message.DefaultTenant, alias)
		t.Kind = kind
		return b.save(t)
	}
	frame := b.publish(part("frame", message.TemplateLayout))
	b.publish(part("foot", message.TemplatePartial))
	part("draft", message.TemplatePartial)
	b.publish(part("mail", message.TemplateEmail))
	b.save(draftOf(frame, "two"))
	theirs := templateOf(2, "theirs")
	theirs.Kind = message.TemplatePartial
	b.publish(b.save(theirs))
	got, err := b.store.PublishedParts(b.Context(), message.DefaultTenant, []string{"frame", "foot", "draft", "mail", "theirs", "none"})
	b.check(err)
	want := map[string]message.TemplatePart{}
	for alias, kind := range map[string]message.TemplateKind{"frame": message.TemplateLayout, "foot": message.TemplatePartial} {
		p := message.TemplatePart{Kind: kind}
		p.Body.HTML = "one"
		want[alias] = p
	}
	equal(b, "parts", got, want)
}

func caseTemplateTenants(b *templateBench) {
	const other = 2
	mine := b.publish(b.save(templateOf(message.DefaultTenant, "order")))
	for _, name := range []message.TemplateName{{ID: mine.ID}, {Alias: "order"}} {
		_, read := b.store.Template(b.Context(), other, name)
		_, _, published := b.store.PublishedTemplate(b.Context(), other, name)
		_, removed := b.store.RemoveTemplate(b.Context(), other, name)
		for _, err := range []error{read, published, removed} {
			equal(b, "not found", errors.Is(err, message.ErrNotFound), true)
		}
	}
	_, err := b.store.TemplateVersion(b.Context(), other, message.TemplateRef{ID: mine.ID, Version: 1})
	equal(b, "version", errors.Is(err, message.ErrNotFound), true)
	theirs := *mine
	theirs.TenantID = other
	equal(b, "saving", errors.Is(b.store.SaveTemplate(b.Context(), &theirs), message.ErrChanged), true)
	page, err := b.store.Templates(b.Context(), message.TemplateFilter{TenantID: other, Limit: 10})
	b.check(err)
	equal(b, "list", len(page.Templates), 0)
	equal(b, "mine", b.read(message.DefaultTenant, message.TemplateName{ID: mine.ID}).Revision, mine.Revision)
}

func caseTemplatePages(b *templateBench) {
	var ids []uuid.UUID
	for range 5 {
		ids = append(ids, b.save(templateOf(message.DefaultTenant, "")).ID)
	}
	slices.Reverse(ids)
	list := func(f message.TemplateFilter) ([]uuid.UUID, bool) {
		f.TenantID = message.DefaultTenant
		page, err := b.store.Templates(b.Context(), f)
		b.check(err)
		var found []uuid.UUID
		for _, t := range page.Templates {
			found = append(found, t.ID)
		}
		return found, page.HasMore
	}
	first, more := list(message.TemplateFilter{Limit: 2})
	equal(b, "first page", first, ids[:2])
	equal(b, "more", more, true)
	last, more := list(message.TemplateFilter{Limit: 3, After: ids[1]})
	equal(b, "last page", last, ids[2:])
	equal(b, "more", more, false)
	back, more := list(message.TemplateFilter{Limit: 2, Before: ids[4]})
	equal(b, "back", back, ids[2:4])
	equal(b, "more", more, true)
}

func caseTemplateRemoved(b *templateBench) {
	t := b.publish(b.save(templateOf(message.DefaultTenant, "order")))
	id, err := b.store.RemoveTemplate(b.Context(), message.DefaultTenant, message.TemplateName{Alias: "order"})
	b.check(err)
	equal(b, "id", id, t.ID)
	_, err = b.store.Template(b.Context(), message.DefaultTenant, message.TemplateName{ID: t.ID})
	equal(b, "read", errors.Is(err, message.ErrNotFound), true)
	_, err = b.store.TemplateVersion(b.Context(), message.DefaultTenant, message.TemplateRef{ID: t.ID, Version: 1})
	equal(b, "version", errors.Is(err, message.ErrNotFound), true)
	b.save(templateOf(message.DefaultTenant, "order"))
}

func caseTemplateOldVersions(b *templateBench) {
	t := b.publish(b.save(templateOf(message.DefaultTenant, "")))
	for range 110 {
		t = b.save(draftOf(t, "later"))
	}
	equal(b, "published", b.version(message.TemplateRef{ID: t.ID, Version: 1}), "one")
	_, err := b.store.TemplateVersion(b.Context(), message.DefaultTenant, message.TemplateRef{ID: t.ID, Version: 2})
	equal(b, "old", errors.Is(err, message.ErrNotFound), true)
	equal(b, "newer", b.version(message.TemplateRef{ID: t.ID, Version: 50}), "later")
}

// caseTemplateLimit makes the last templates at the same moment.
func caseTemplateLimit(b *templateBench) {
	const allowed = 2_000
	for range allowed - 5 {
		b.check(b.store.SaveTemplate(b.Context(), templateOf(message.DefaultTenant, "")))
	}
	var makers sync.WaitGroup
	var made atomic.Int32
	for range 20 {
		makers.Go(func() {
			err := b.store.SaveTemplate(b.Context(), templateOf(message.DefaultTenant, ""))
			if err == nil {
				made.Add(1)
			} else if !refusedFor(err, "", message.CodeTooLarge) {
				b.Error(err)
			}
		})
	}
	makers.Wait()
	equal(b, "made of the last 5", made.Load(), 5)
	b.check(b.store.SaveTemplate(b.Context(), templateOf(2, "")))
}
