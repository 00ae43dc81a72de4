package accept_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

// templateFunc renders every template by one function.
type templateFunc func(*message.TemplateUse) (message.Rendered, error)

func (f templateFunc) Render(_ context.Context, _ int64, use *message.TemplateUse) (message.Rendered, error) {
	return f(use)
}

// acceptOne accepts a draft with the given templates, and returns the message.
func acceptOne(t *testing.T, d *message.Draft, options ...accept.Option) (*message.Message, error) {
	t.Helper()
	var got *message.Message
	store := storeFunc(func(ctx context.Context, subs []message.Submission) []message.Acceptance {
		got = subs[0].Message
		return commitAll(ctx, subs)
	})
	s := accept.New(store, message.DefaultLimits(), (&wakes{}).wake, time.Now, options...)
	s.Start()
	_, err := s.Accept(t.Context(), message.Unrestricted(1), d, "", [32]byte{})
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	return got, err
}

func templated() *message.Draft {
	return &message.Draft{To: []string{"b@example.com"}, Template: &message.TemplateUse{Template: "order"}}
}

func TestATemplateGivesWhatTheDraftLeavesOut(t *testing.T) {
	ref := message.TemplateRef{ID: uuid.Max, Version: 7}
	templates := accept.WithTemplates(templateFunc(func(*message.TemplateUse) (message.Rendered, error) {
		return message.Rendered{
			Ref: ref, From: "t@example.com", ReplyTo: []string{"r@example.com"},
			TemplateText: message.TemplateText{Subject: "theirs", HTML: "<p>", Text: "text"},
		}, nil
	}))
	m, err := acceptOne(t, templated(), templates)
	if err != nil {
		t.Fatal(err)
	}
	if h := m.Head; h.From.Email != "t@example.com" || h.Subject != "theirs" || h.ReplyTo[0].Email != "r@example.com" || *h.Template != ref ||
		m.Content != (message.Content{HTML: "<p>", Text: "text"}) {
		t.Errorf("%+v", m)
	}
	own := templated()
	own.From, own.Subject, own.ReplyTo = "o@example.com", "own", []string{"a@example.com", "b@example.com"}
	m, err = acceptOne(t, own, templates)
	if err != nil || m.Head.From.Email != "o@example.com" || m.Head.Subject != "own" || len(m.Head.ReplyTo) != 2 {
		t.Errorf("%+v %v", m, err)
	}
	if own.Template == nil || own.HTML != "" {
		t.Error("the caller's draft was changed")
	}
}

func TestWhatIsWrongWithDraftAndTemplateIsSaidTogether(t *testing.T) {
	refuse := accept.WithTemplates(templateFunc(func(*message.TemplateUse) (message.Rendered, error) {
		var faults message.Faults
		faults.Add("/template/variables/a", message.CodeMissingVariable, "is not given")
		return message.Rendered{}, faults.Err()
	}))
	d := templated()
	d.Lane, d.HTML = "fast", "<p>"
	_, err := acceptOne(t, d, refuse)
	var refused *message.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	var at []string
	for _, f := range refused.Fields {
		at = append(at, f.Pointer)
	}
	if want := []string{"/html", "/lane", "/template/variables/a"}; !slices.Equal(at, want) {
		t.Errorf("faults at %v, want %v", at, want)
	}
}

func TestATemplateThatSaysNothingIsAnEmptyMail(t *testing.T) {
	_, err := acceptOne(t, templated(), accept.WithTemplates(templateFunc(func(*message.TemplateUse) (message.Rendered, error) {
		return message.Rendered{From: "t@example.com", TemplateText: message.TemplateText{HTML: " \n"}}, nil
	})))
	var refused *message.Error
	if !errors.As(err, &refused) || refused.Fields[0].Code != message.CodeEmptyBody {
		t.Errorf("error %v", err)
	}
}

// A few bytes of a request may become megabytes, and many may come at the same moment.
func TestWhatIsMadeOfTemplatesIsBounded(t *testing.T) {
	c := &copies{text: strings.Repeat("x", 24<<20)}
	byTemplate := templated()
	byTemplate.From = "a@example.com"
	held := 0 // messages that are being stored, each within the one before
	var s *accept.Service
	post := func(d *message.Draft) error {
		_, err := s.Accept(t.Context(), message.Unrestricted(1), d, "", [32]byte{})
		return err
	}
	past := map[string]error{}
	s = accept.New(storeFunc(func(ctx context.Context, subs []message.Submission) []message.Acceptance {
		if held++; held > 10 || subs[0].Message.Head.Template == nil {
			return commitAll(ctx, subs)
		}
		if err := post(byTemplate); len(past) == 0 { // the innermost
			past["a message"] = err
			past["a dry run"] = s.Check(ctx, message.Unrestricted(1), byTemplate, func(*message.Message) error { return nil })
			_, past["a batch"] = accept.NewBatches(batchFunc(commitBatch), s).AcceptBatch(ctx, message.Unrestricted(1), request(false, byTemplate))
			if err := post(withFiles(message.DraftAttachment{Data: make([]byte, 1<<20)})); err != nil {
				t.Errorf("one without a template: %v", err)
			}
		}
		return commitAll(ctx, subs)
	}), message.DefaultLimits(), (&wakes{}).wake, time.Now, accept.WithTemplates(c))
	if err := post(byTemplate); err != nil {
		t.Fatal(err)
	}
	for name, err := range past {
		var refused *message.Error
		if !errors.As(err, &refused) || refused.Code != message.CodeOverloaded {
			t.Errorf("%s past the bound: %v", name, err)
		}
	}
	if len(past) != 3 || c.made != 10 {
		t.Errorf("%d past the bound, %d rendered", len(past), c.made)
	}
	if held = 10; post(byTemplate) != nil { // what the others took was given back
		t.Error("nothing is accepted any more")
	}
}

func TestWhatADryRunMakesOfATemplateCountsAsLongAsItIsLookedAt(t *testing.T) {
	byTemplate := templated()
	byTemplate.From = "a@example.com"
	s := accept.New(storeFunc(commitAll), message.DefaultLimits(), (&wakes{}).wake, time.Now,
		accept.WithTemplates(&copies{text: strings.Repeat("x", 24<<20)}))
	looking := 0
	var look func(*message.Message) error
	look = func(*message.Message) error {
		if looking++; looking > 20 {
			return nil
		}
		return s.Check(t.Context(), message.Unrestricted(1), byTemplate, look)
	}
	for range 2 {
		err := look(nil)
		var refused *message.Error
		if !errors.As(err, &refused) || refused.Code != message.CodeOverloaded {
			t.Fatalf("past the bound: %v", err)
		}
	}
	if looking != 2*(1+7) { // the eighth would be past 192 MiB by its subject
		t.Errorf("looked %d times", looking)
	}
}

func TestTemplatesOutOfReachAreUnavailable(t *testing.T) {
	away := accept.WithTemplates(templateFunc(func(*message.TemplateUse) (message.Rendered, error) {
		return message.Rendered{}, message.ErrUnavailable
	}))
	if _, err := acceptOne(t, templated(), away); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	var refused *message.Error
	if _, err := acceptOne(t, templated()); !errors.As(err, &refused) || refused.Fields[0].Code != message.CodeUnsupportedField {
		t.Errorf("where there are none: %v", err)
	}
}
