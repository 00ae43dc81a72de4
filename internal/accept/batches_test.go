package accept_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

// batchFunc is a store for batches of one function. It knows one request: the key
// "known" with the hash {7}.
type batchFunc func(context.Context, *message.Batch) (message.BatchAnswer, error)

func (f batchFunc) AcceptBatch(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
	return f(ctx, b)
}

func (f batchFunc) ReplayBatch(_ context.Context, _ int64, key string, hash [32]byte) (message.BatchAnswer, bool, error) {
	return message.BatchAnswer{IDs: []uuid.UUID{uuid.Max}, Replayed: true}, key == "known" && hash == [32]byte{7}, nil
}

func commitBatch(_ context.Context, b *message.Batch) (message.BatchAnswer, error) {
	return b.Answer(), nil
}

func batches(store batchFunc, w *wakes) *accept.Batches {
	return accept.NewBatches(store, accept.New(nil, message.DefaultLimits(), w.wake, time.Now))
}

func request(permissive bool, drafts ...*message.Draft) *message.BatchDraft {
	d := &message.BatchDraft{Permissive: permissive}
	for _, draft := range drafts {
		d.Items = append(d.Items, message.BatchItem{Draft: draft})
	}
	return d
}

func without(change func(*message.Draft)) *message.Draft {
	d := draft()
	change(d)
	return d
}

func TestABatchWakesEachLaneOnceAfterItsCommit(t *testing.T) {
	w := &wakes{}
	var got *message.Batch
	s := batches(func(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
		if len(w.seen()) > 0 {
			t.Error("woken before the commit")
		}
		got = b
		return commitBatch(ctx, b)
	}, w)
	d := request(false, draft(), without(func(d *message.Draft) { d.Lane = "low" }), draft())
	d.IdempotencyKey, d.Hash = "k", [32]byte{9}
	a, err := s.AcceptBatch(t.Context(), message.Unrestricted(7), d)
	if err != nil {
		t.Fatal(err)
	}
	if lanes := w.seen(); !slices.Equal(lanes, []message.Lane{message.LaneHigh, message.LaneLow}) {
		t.Errorf("woken %v", lanes)
	}
	if got.TenantID != 7 || got.IdempotencyKey != "k" || got.Hash != d.Hash || got.ID == uuid.Nil || len(a.IDs) != 3 {
		t.Errorf("stored %+v", got)
	}
	for i, m := range got.Messages {
		if m.ID != a.IDs[i] || m.TenantID != 7 || m.ID == got.ID {
			t.Errorf("message %d: %+v", i, m)
		}
	}
}

func TestABatchThatIsNotCommittedNowWakesNobody(t *testing.T) {
	w := &wakes{}
	for _, err := range []error{nil, message.ErrUnavailable} {
		s := batches(func(context.Context, *message.Batch) (message.BatchAnswer, error) {
			return message.BatchAnswer{Replayed: true}, err
		}, w)
		if _, got := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(false, draft())); !errors.Is(got, err) {
			t.Errorf("error %v", got)
		}
	}
	if lanes := w.seen(); lanes != nil {
		t.Errorf("woken %v", lanes)
	}
}

func TestABadStrictBatchReachesNoStoreUnlessItWasAcceptedOnce(t *testing.T) {
	s := batches(func(context.Context, *message.Batch) (message.BatchAnswer, error) {
		t.Error("the store was called")
		return message.BatchAnswer{}, nil
	}, &wakes{})
	d := request(false, draft(), without(func(d *message.Draft) { d.From, d.To = "nobody", nil }))
	unread := &message.Error{Code: message.CodeValidation, Fields: []message.FieldError{{Pointer: "/x", Code: message.CodeUnknownField}}}
	d.Items = append(d.Items, message.BatchItem{Err: unread})
	_, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), d)
	var refused *message.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	var places []string
	for _, f := range refused.Fields {
		places = append(places, f.Pointer)
	}
	if !slices.Equal(places, []string{"/1/from", "/1/to", "/2/x"}) {
		t.Errorf("faults at %v", places)
	}
	d.IdempotencyKey, d.Hash = "known", [32]byte{7}
	if a, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), d); err != nil || !a.Replayed {
		t.Errorf("%+v, %v", a, err)
	}
	d.Hash = [32]byte{8}
	if _, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), d); !errors.As(err, &refused) {
		t.Errorf("another batch: %v", err)
	}
}

func TestAPermissiveBatchKeepsWhatIsRight(t *testing.T) {
	var got *message.Batch
	s := batches(func(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
		got = b
		return commitBatch(ctx, b)
	}, &wakes{})
	a, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(true, without(func(d *message.Draft) { d.To = nil }), draft(), without(func(d *message.Draft) { d.Lane = "x" })))
	if err != nil || len(a.IDs) != 1 || len(got.Messages) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if len(a.Refused) != 2 || a.Refused[0].Index != 0 || a.Refused[1].Index != 2 || !strings.HasPrefix(a.Refused[1].Message, "/lane: ") {
		t.Errorf("%+v", a.Refused)
	}
}

func TestABatchThatIsTooLargeIsRefusedInBothModes(t *testing.T) {
	limits := message.DefaultLimits()
	limits.BatchBytes = 100
	s := accept.NewBatches(batchFunc(commitBatch), accept.New(nil, limits, (&wakes{}).wake, time.Now))
	half := without(func(d *message.Draft) { d.Text = strings.Repeat("x", 50) })
	for _, permissive := range []bool{false, true} {
		_, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(permissive, half, half))
		var refused *message.Error
		if !errors.As(err, &refused) || refused.Fields[0].Code != message.CodeMessageTooLarge || refused.Fields[0].Pointer != "" {
			t.Errorf("%v", err)
		}
	}
}

func TestABatchWhoseCommitHangsIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := batches(func(ctx context.Context, _ *message.Batch) (message.BatchAnswer, error) {
			<-ctx.Done()
			return message.BatchAnswer{}, message.ErrUnavailable
		}, &wakes{})
		if _, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(false, draft())); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
	})
}

// stingy is a guard that lets senders of one domain through, and counts.
type stingy struct{ given, back int }

func (g *stingy) Admit(_ context.Context, _ *message.Grant, messages []*message.Message) []message.Admission {
	list := make([]message.Admission, len(messages))
	for i, m := range messages {
		if strings.HasSuffix(m.Head.From.Email, "@example.com") {
			list[i].Recipients = len(m.Recipients())
			g.given += list[i].Recipients
			continue
		}
		list[i].Err = &message.Error{Code: message.CodeDomainNotAllowed, Detail: "not from there"}
	}
	return list
}

func (g *stingy) GiveBack(_ context.Context, _ *message.Grant, list []message.Admission) {
	for _, a := range list {
		g.back += a.Recipients
	}
}

func TestABatchIsHeldToItsKey(t *testing.T) {
	by := &message.Grant{TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, Domains: []string{"example.com"}}}
	foreign := without(func(d *message.Draft) { d.From = "a@elsewhere.example" })
	replays := func(context.Context, *message.Batch) (message.BatchAnswer, error) {
		return message.BatchAnswer{Replayed: true}, nil
	}
	for name, c := range map[string]struct {
		store      batchFunc
		permissive bool
		drafts     []*message.Draft
		code       message.Code
		kept       int // recipients that stay counted
	}{
		"all allowed":           {commitBatch, false, []*message.Draft{draft(), draft()}, "", 2},
		"strict, one is not":    {commitBatch, false, []*message.Draft{draft(), foreign}, message.CodeDomainNotAllowed, 0},
		"permissive, one isn't": {commitBatch, true, []*message.Draft{foreign, draft()}, "", 1},
		"a repetition":          {replays, false, []*message.Draft{draft()}, "", 0},
	} {
		g := &stingy{}
		s := accept.NewBatches(c.store, accept.New(nil, message.DefaultLimits(), (&wakes{}).wake, time.Now, accept.WithGuard(g)))
		a, err := s.AcceptBatch(t.Context(), by, request(c.permissive, c.drafts...))
		var refused *message.Error
		if errors.As(err, &refused) != (c.code != "") || c.code != "" && refused.Code != c.code || g.given-g.back != c.kept {
			t.Errorf("%s: %+v, %v, %d stay counted", name, a, err, g.given-g.back)
		}
		if c.permissive && (len(a.IDs) != 1 || len(a.Refused) != 1 || a.Refused[0] != (message.Refusal{Index: 0, Message: "not from there"})) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	by.Scope = message.ScopeRead
	s := accept.NewBatches(batchFunc(commitBatch), accept.New(nil, message.DefaultLimits(), (&wakes{}).wake, time.Now, accept.WithGuard(&stingy{})))
	var refused *message.Error
	if _, err := s.AcceptBatch(t.Context(), by, request(false, draft())); !errors.As(err, &refused) || refused.Code != message.CodeRestrictedAPIKey {
		t.Errorf("a key that may not send: %v", err)
	}
}

// Every attachment is a statement, and one transaction has those of the whole batch.
func TestTheAttachmentsOfABatchAreBounded(t *testing.T) {
	limits := message.DefaultLimits()
	full := without(func(d *message.Draft) {
		d.Attachments = slices.Repeat([]message.DraftAttachment{{Filename: "a"}}, limits.Attachments)
	})
	most := limits.BatchFiles / limits.Attachments
	for n, want := range map[int]message.Code{most: "", most + 1: message.CodeValidation} {
		s := batches(commitBatch, &wakes{})
		_, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(true, slices.Repeat([]*message.Draft{full}, n)...))
		var refused *message.Error
		if errors.As(err, &refused); (refused == nil) != (want == "") || refused != nil && refused.Code != want {
			t.Errorf("%d emails: %v", n, err)
		}
	}
}

// copies renders the same text for everybody, and counts.
type copies struct {
	text string
	made int
}

func (c *copies) Render(context.Context, int64, *message.TemplateUse) (message.Rendered, error) {
	c.made++
	return message.Rendered{TemplateText: message.TemplateText{Subject: "s", Text: c.text}}, nil
}

// A short request may name a template five hundred times whose mail is a megabyte.
func TestWhatBatchesMakeOfTemplatesIsBounded(t *testing.T) {
	byTemplate := without(func(d *message.Draft) { d.Subject, d.Text, d.Template = "", "", &message.TemplateUse{Template: "t"} })
	limits := message.DefaultLimits()
	limits.BatchBytes = 41 << 20
	c := &copies{text: strings.Repeat("x", 8<<20)}
	var s *accept.Batches
	held := 0 // batches that are being stored
	code := func(emails int) message.Code {
		_, err := s.AcceptBatch(t.Context(), message.Unrestricted(1), request(false, slices.Repeat([]*message.Draft{byTemplate}, emails)...))
		var refused *message.Error
		errors.As(err, &refused)
		if refused == nil {
			return ""
		}
		return refused.Code
	}
	var last message.Code
	s = accept.NewBatches(batchFunc(func(ctx context.Context, b *message.Batch) (message.BatchAnswer, error) {
		if held++; held < 10 {
			last = code(5) // each is in memory until the one within it is answered
		}
		return commitBatch(ctx, b)
	}), accept.New(nil, limits, (&wakes{}).wake, time.Now, accept.WithTemplates(c)))
	if got := code(500); got != message.CodeValidation || c.made > 6 {
		t.Errorf("500 emails: %q after %d were rendered", got, c.made)
	}
	if got := code(5); got != "" || held != 4 {
		t.Errorf("the first: %q, %d held at once", got, held)
	}
	last = ""
	held = 100
	if got := code(5); got != "" || last != "" {
		t.Errorf("afterwards: %q", got)
	}
}
