package template

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Service keeps and renders templates. Safe for concurrent use.
type Service struct {
	store     Store
	published Published
	cache     *cache
	turns     chan struct{} // as many as may compile or render at once
}

// New returns a service over a store. It holds compiled templates of up to a few
// megabytes of source.
func New(store Store, published Published) *Service {
	return &Service{
		store: store, published: published, cache: newCache(maxCached),
		// A template may keep a processor busy for a second: some are left for
		// plain mail.
		turns: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
	}
}

// inTurn does work that keeps a processor busy, once there is room for it.
func (s *Service) inTurn(ctx context.Context, work func() error) error {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
		return work()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Create makes a template, as a draft. The error is a *message.Error naming
// every fault, or that of the store.
func (s *Service) Create(ctx context.Context, tenant int64, edit *message.TemplateEdit) (uuid.UUID, error) {
	t := &message.Template{ID: message.NewID(), TenantID: tenant, Current: message.TemplateVersion{ID: message.NewID(), Number: 1}}
	if err := s.save(ctx, t, edit); err != nil {
		return uuid.Nil, fmt.Errorf("create template: %w", err)
	}
	return t.ID, nil
}

// Update changes the draft of a template, and begins one where there is none.
// What is published stays as it is.
func (s *Service) Update(ctx context.Context, tenant int64, name string, edit *message.TemplateEdit) (uuid.UUID, error) {
	return s.change(ctx, "update template", tenant, name, func(t *message.Template) error {
		if !t.HasDraft() {
			t.Current.ID, t.Current.Number = message.NewID(), t.Current.Number+1
		}
		return s.save(ctx, t, edit)
	})
}

// Publish makes the draft what is sent from now on. The layout and the partials
// are taken in as they are published now: what was published stays the same,
// whatever becomes of them. Without a draft it takes them in anew, as a new
// version.
func (s *Service) Publish(ctx context.Context, tenant int64, name string) (uuid.UUID, error) {
	return s.change(ctx, "publish template", tenant, name, func(t *message.Template) error {
		if !t.HasDraft() {
			t.Current.ID, t.Current.Number = message.NewID(), t.Current.Number+1
		}
		if err := s.inspect(ctx, t); err != nil {
			return err
		}
		t.Published = t.Current.Number
		return s.store.SaveTemplate(ctx, t)
	})
}

// Duplicate makes a draft of the current version of a template, under a name of
// its own and without the alias.
func (s *Service) Duplicate(ctx context.Context, tenant int64, name string) (uuid.UUID, error) {
	t, err := s.Template(ctx, tenant, name)
	if err != nil {
		return uuid.Nil, err
	}
	const mark = " (copy)"
	copied := message.Template{
		ID: message.NewID(), TenantID: tenant, Name: shorten(t.Name, maxName-len(mark)) + mark, Kind: t.Kind,
		Current: message.TemplateVersion{ID: message.NewID(), Number: 1, Body: t.Current.Body},
	}
	copied.Current.Body.Included = nil
	if copied.Kind != message.TemplateEmail { // without an alias nothing could include it
		copied.Alias = shorten(t.Alias, maxAlias-9) + "-" + copied.ID.String()[28:]
	}
	if err := s.store.SaveTemplate(ctx, &copied); err != nil {
		return uuid.Nil, fmt.Errorf("duplicate template: %w", err)
	}
	return copied.ID, nil
}

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most])
	}
	return s
}

// Template reads a template with its current version.
func (s *Service) Template(ctx context.Context, tenant int64, name string) (message.Template, error) {
	parsed, err := parseName(name)
	if err != nil {
		return message.Template{}, err
	}
	return s.store.Template(ctx, tenant, parsed)
}

// Templates reads a page of a list, newest first.
func (s *Service) Templates(ctx context.Context, filter message.TemplateFilter) (message.TemplatePage, error) {
	return s.store.Templates(ctx, filter)
}

// Remove takes a template away with all its versions. Messages that were made
// from it, and templates that were published with it in them, keep what they
// have.
func (s *Service) Remove(ctx context.Context, tenant int64, name string) (uuid.UUID, error) {
	parsed, err := parseName(name)
	if err != nil {
		return uuid.Nil, err
	}
	return s.store.RemoveTemplate(ctx, tenant, parsed)
}

// tries is how often a change is made anew because somebody else was faster.
const tries = 5

// change reads a template and has it changed.
func (s *Service) change(ctx context.Context, op string, tenant int64, name string, do func(*message.Template) error) (uuid.UUID, error) {
	for range tries {
		t, err := s.Template(ctx, tenant, name)
		if err == nil {
			t.Current.Body.Included = nil
			err = do(&t)
		}
		switch {
		case errors.Is(err, message.ErrChanged):
			continue
		case err != nil:
			return uuid.Nil, fmt.Errorf("%s: %w", op, err)
		}
		return t.ID, nil
	}
	return uuid.Nil, fmt.Errorf("%s: many change it at once: %w", op, message.ErrUnavailable)
}

// save applies an edit, checks what comes of it, and stores it as a draft.
func (s *Service) save(ctx context.Context, t *message.Template, edit *message.TemplateEdit) error {
	var faults message.Faults
	apply(t, edit, &faults)
	if err := s.checkAll(ctx, t, &faults); err != nil {
		return err
	}
	t.Current.Body.Included = nil
	return s.store.SaveTemplate(ctx, t)
}

// inspect checks a template as it is, and puts into its body what it includes.
func (s *Service) inspect(ctx context.Context, t *message.Template) error {
	var faults message.Faults
	return s.checkAll(ctx, t, &faults)
}

func (s *Service) checkAll(ctx context.Context, t *message.Template, faults *message.Faults) error {
	check(t, faults)
	if err := s.gather(ctx, t, faults); err != nil {
		return err
	}
	if err := s.compile(ctx, t, faults); err != nil {
		return err
	}
	return faults.Err()
}
