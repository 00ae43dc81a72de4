package template

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// shelf is a store of one published template; its functions can be replaced.
type shelf struct {
	Store
	body  message.TemplateBody
	err   error // of reading a version
	saved func(*message.Template) error
	reads int
}

func (s *shelf) PublishedTemplate(context.Context, int64, message.TemplateName) (message.TemplateRef, message.TemplateKind, error) {
	return message.TemplateRef{ID: uuid.Max, Version: 1}, message.TemplateEmail, nil
}

func (s *shelf) TemplateVersion(context.Context, int64, message.TemplateRef) (message.TemplateBody, error) {
	s.reads++
	return s.body, s.err
}

func (s *shelf) PublishedParts(context.Context, int64, []string) (map[string]Part, error) {
	return map[string]Part{}, nil
}

func (s *shelf) Template(context.Context, int64, message.TemplateName) (message.Template, error) {
	return message.Template{ID: uuid.Max, TenantID: 1, Name: "n", Kind: message.TemplateEmail, Current: message.TemplateVersion{Number: 1, Body: s.body}}, nil
}

func (s *shelf) SaveTemplate(_ context.Context, t *message.Template) error { return s.saved(t) }

func bodyOf(html string) message.TemplateBody {
	return message.TemplateBody{TemplateText: message.TemplateText{HTML: html}}
}

func codeOf(err error) message.Code {
	var refused *message.Error
	if errors.As(err, &refused) && len(refused.Fields) == 1 {
		return refused.Fields[0].Code
	}
	return ""
}

func use(values map[string]any) *message.TemplateUse {
	return &message.TemplateUse{Template: "order", Variables: values}
}

func TestAVersionIsReadAndCompiledOnce(t *testing.T) {
	s := &shelf{body: bodyOf("<p>{{a}}</p>")}
	service := New(s, s)
	for _, value := range []string{"x", "y"} {
		r, err := service.Render(t.Context(), 1, use(map[string]any{"a": value}))
		if err != nil || r.HTML != "<p>"+value+"</p>" {
			t.Errorf("%+v %v", r, err)
		}
	}
	if s.reads != 1 {
		t.Errorf("read %d times", s.reads)
	}
	if _, err := service.Render(t.Context(), 2, use(map[string]any{"a": "x"})); err != nil || s.reads != 2 {
		t.Errorf("another tenant's: read %d times, %v", s.reads, err)
	}
}

func TestAVersionThatCannotBeHadIsTheCallersToKnow(t *testing.T) {
	for name, c := range map[string]struct {
		shelf shelf
		want  message.Code
	}{
		"removed meanwhile": {shelf{err: message.ErrNotFound}, message.CodeTemplateNotFound},
		"no longer taken":   {shelf{body: bodyOf("{{old syntax}}")}, message.CodeInvalidTemplate},
	} {
		if _, err := New(&c.shelf, &c.shelf).Render(t.Context(), 1, use(nil)); codeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	away := &shelf{err: message.ErrUnavailable}
	if _, err := New(away, away).Render(t.Context(), 1, use(nil)); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
}

func TestRenderingWaitsForItsTurn(t *testing.T) {
	s := &shelf{body: bodyOf("x")}
	service := New(s, s)
	for range cap(service.turns) {
		service.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := service.Render(ctx, 1, use(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("without a turn: %v", err)
	}
	<-service.turns
	if _, err := service.Render(t.Context(), 1, use(nil)); err != nil {
		t.Errorf("with one: %v", err)
	}
}

func TestAChangeIsMadeAnewWhenSomebodyElseWasFaster(t *testing.T) {
	s := &shelf{body: bodyOf("x")}
	calls := 0
	s.saved = func(m *message.Template) error {
		if calls++; calls < 3 {
			return message.ErrChanged
		}
		return nil
	}
	html := "<p>"
	if _, err := New(s, s).Update(t.Context(), 1, "order", &message.TemplateEdit{HTML: &html}); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	s.saved = func(*message.Template) error { return message.ErrChanged }
	if _, err := New(s, s).Publish(t.Context(), 1, "order"); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("without end: %v", err)
	}
}

func TestAllLanguagesTogetherAreBounded(t *testing.T) {
	s := &shelf{body: bodyOf(strings.Repeat("x", 400<<10))}
	s.saved = func(*message.Template) error { return nil }
	locales := map[string]message.TemplateText{}
	for _, locale := range strings.Fields("aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs") {
		locales[locale] = message.TemplateText{Subject: "only this; the HTML is that of all"}
	}
	_, err := New(s, s).Update(t.Context(), 1, "order", &message.TemplateEdit{Locales: &locales})
	if codeOf(err) != message.CodeTooLarge {
		t.Errorf("error %v", err)
	}
}

// To find the place of a fault costs more than to compile: not all faults of one save are
// looked for.
func TestAfterSomeLanguagesThatAreRefusedNoMoreAreLookedAt(t *testing.T) {
	s := &shelf{body: bodyOf("x")}
	locales := map[string]message.TemplateText{}
	for _, locale := range strings.Fields("aa ab ae af ak am an ar as av") {
		locales[locale] = message.TemplateText{HTML: "<a b=c\"d>"}
	}
	_, err := New(s, s).Update(t.Context(), 1, "order", &message.TemplateEdit{Locales: &locales})
	var refused *message.Error
	if !errors.As(err, &refused) || len(refused.Fields) != maxRefused {
		t.Errorf("error %v", err)
	}
}

// stopped is a context of a process that stands still, each of the times that it is left,
// when it is looked at.
type stopped struct {
	context.Context
	times *int
}

func (s stopped) Err() error {
	if *s.times > 0 {
		*s.times--
		time.Sleep(2 * time.Second)
	}
	return s.Context.Err()
}

func TestAProcessThatStoodStillRefusesNothing(t *testing.T) {
	for times, want := range map[int]message.Code{1: "", 2: message.CodeRenderLimit} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{body: bodyOf("<p>{{a}}</p>")}
			service := New(s, s)
			left := times
			got, err := service.Render(stopped{t.Context(), &left}, 1, use(map[string]any{"a": "x"}))
			if codeOf(err) != want || want == "" && (err != nil || got.HTML != "<p>x</p>") || left != 0 {
				t.Errorf("stopped %d times: %q, %v", times, got.HTML, err)
			}
		})
	}
}
