package accept_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// storeFunc is a store of one function.
type storeFunc func(context.Context, []message.Submission) []message.Acceptance

func (f storeFunc) Accept(ctx context.Context, subs []message.Submission) []message.Acceptance {
	return f(ctx, subs)
}

// Replay knows one request: the key "known" with the hash {7}.
func (f storeFunc) Replay(_ context.Context, _ int64, key string, hash [32]byte) (message.Acceptance, bool, error) {
	return message.Acceptance{ID: uuid.Max, Replayed: true}, key == "known" && hash == [32]byte{7}, nil
}

func commitAll(_ context.Context, subs []message.Submission) []message.Acceptance {
	answers := make([]message.Acceptance, len(subs))
	for i, s := range subs {
		answers[i].ID = s.Message.ID
	}
	return answers
}

// wakes notes which lanes were woken.
type wakes struct {
	mu    sync.Mutex
	lanes []message.Lane
}

func (w *wakes) wake(lane message.Lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes = append(w.lanes, lane)
}

func (w *wakes) seen() []message.Lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lanes)
}

func start(t *testing.T, store storeFunc, w *wakes) *accept.Service {
	t.Helper()
	s := accept.New(store, message.DefaultLimits(), w.wake, time.Now)
	s.Start()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func draft() *message.Draft {
	return &message.Draft{From: "a@example.com", To: []string{"b@example.com"}, Subject: "hello", Text: "hi", Lane: "high"}
}

func TestAMessageGetsIDTenantKeyAndHash(t *testing.T) {
	var got message.Submission
	s := start(t, func(ctx context.Context, subs []message.Submission) []message.Acceptance {
		got = subs[0]
		return commitAll(ctx, subs)
	}, &wakes{})
	a, err := s.Accept(t.Context(), message.Unrestricted(7), draft(), "order-1", [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != got.Message.ID || a.ID.Version() != 7 {
		t.Errorf("answered %v, stored %v (version %d)", a.ID, got.Message.ID, a.ID.Version())
	}
	if got.Message.TenantID != 7 || got.IdempotencyKey != "order-1" || got.Hash != [32]byte{9} {
		t.Errorf("stored %+v", got)
	}
}

func TestTheLaneIsWokenOnlyAfterTheCommit(t *testing.T) {
	w := &wakes{}
	s := start(t, func(ctx context.Context, subs []message.Submission) []message.Acceptance {
		if len(w.seen()) > 0 {
			t.Error("woken before the commit")
		}
		return commitAll(ctx, subs)
	}, w)
	if _, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(); !slices.Equal(got, []message.Lane{message.LaneHigh}) {
		t.Errorf("woken %v, want high once", got)
	}
}

func TestNothingIsWokenForWhatWasNotCommittedNow(t *testing.T) {
	for name, answer := range map[string]message.Acceptance{
		"refused": {Err: message.ErrUnavailable}, "replayed": {Replayed: true, ID: message.NewID()},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wakes{}
			s := start(t, func(context.Context, []message.Submission) []message.Acceptance {
				return []message.Acceptance{answer}
			}, w)
			a, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "key", [32]byte{})
			if !errors.Is(err, answer.Err) || a.ID != answer.ID || a.Replayed != answer.Replayed {
				t.Errorf("Accept = %+v, %v", a, err)
			}
			if got := w.seen(); got != nil {
				t.Errorf("woken %v", got)
			}
		})
	}
}

func TestABadDraftReachesNoStore(t *testing.T) {
	s := start(t, func(context.Context, []message.Submission) []message.Acceptance {
		t.Error("the store was called")
		return nil
	}, &wakes{})
	bad := draft()
	bad.From, bad.To = "nobody", nil
	_, err := s.Accept(t.Context(), message.Unrestricted(1), bad, "", [32]byte{})
	var refused *message.Error
	if !errors.As(err, &refused) || len(refused.Fields) != 2 {
		t.Errorf("error %v, want both faults", err)
	}
}

func TestARepetitionIsAnsweredThoughItsTimeIsOver(t *testing.T) {
	s := start(t, commitAll, &wakes{})
	late := draft()
	late.ExpiresAt = time.Now().Add(-time.Minute).Format(time.RFC3339)
	if a, err := s.Accept(t.Context(), message.Unrestricted(1), late, "known", [32]byte{7}); err != nil || a.ID != uuid.Max || !a.Replayed {
		t.Errorf("the same request again: %+v %v", a, err)
	}
	var refused *message.Error
	for key, hash := range map[string][32]byte{"known": {8}, "new": {7}, "": {7}} {
		if _, err := s.Accept(t.Context(), message.Unrestricted(1), late, key, hash); !errors.As(err, &refused) {
			t.Errorf("key %q, hash %d: %v, want the refusal", key, hash[0], err)
		}
	}
}

func TestMessagesThatWaitShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var sizes []int
		w := &wakes{}
		s := start(t, func(ctx context.Context, subs []message.Submission) []message.Acceptance {
			sizes = append(sizes, len(subs))
			<-gate
			return commitAll(ctx, subs)
		}, w)
		var callers sync.WaitGroup
		for i := range 11 {
			callers.Go(func() {
				if _, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		close(gate)
		callers.Wait()
		if !slices.Equal(sizes, []int{1, 10}) || len(w.seen()) != 2 {
			t.Errorf("transactions of %v, woken %d times; want 1 and 10, woken once each", sizes, len(w.seen()))
		}
	})
}

func TestALargeMessageHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := start(t, func(ctx context.Context, subs []message.Submission) []message.Acceptance {
			if len(subs[0].Message.Content.Text) > 1000 {
				<-gate
			}
			return commitAll(ctx, subs)
		}, &wakes{})
		large := draft()
		large.Text = strings.Repeat("long ", 100_000)
		done := make(chan error, 1)
		go func() { _, err := s.Accept(t.Context(), message.Unrestricted(1), large, "", [32]byte{}); done <- err }()
		synctest.Wait()
		if _, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); err != nil {
			t.Error(err)
		}
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestACommitThatHangsIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(ctx context.Context, subs []message.Submission) []message.Acceptance {
			<-ctx.Done()
			answers := make([]message.Acceptance, len(subs))
			for i := range answers {
				answers[i].Err = message.ErrUnavailable
			}
			return answers
		}, &wakes{})
		if _, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
	})
}

func TestAfterStopMessagesAreRefusedAsUnavailable(t *testing.T) {
	s := accept.New(storeFunc(commitAll), message.DefaultLimits(), (&wakes{}).wake, time.Now)
	s.Start()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(t.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
}

func BenchmarkAccept(b *testing.B) {
	s := accept.New(storeFunc(commitAll), message.DefaultLimits(), (&wakes{}).wake, time.Now)
	s.Start()
	defer func() { _ = s.Stop(context.Background()) }()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Accept(b.Context(), message.Unrestricted(1), draft(), "", [32]byte{}); err != nil {
				b.Error(err)
			}
		}
	})
}

// guardFunc admits what the function says and notes what is given back.
type guardFunc struct {
	admit func(*message.Message) message.Admission
	back  int
}

func (g *guardFunc) Admit(_ context.Context, _ *message.Grant, messages []*message.Message) []message.Admission {
	return []message.Admission{g.admit(messages[0])}
}

func (g *guardFunc) GiveBack(_ context.Context, _ *message.Grant, admissions []message.Admission) {
	g.back += admissions[0].Recipients
}

func TestARestrictedKeyIsHeldToItsLimits(t *testing.T) {
	quota := &message.Error{Code: message.CodeDailyQuota}
	for name, row := range map[string]struct {
		admission message.Admission
		answer    message.Acceptance
		want      error
		back      int
		stored    int
	}{
		"admitted":           {message.Admission{Recipients: 1}, message.Acceptance{}, nil, 0, 1},
		"refused":            {message.Admission{Err: quota}, message.Acceptance{}, quota, 0, 0},
		"nobody can say":     {message.Admission{Err: message.ErrUnavailable}, message.Acceptance{}, message.ErrUnavailable, 0, 0},
		"stored before":      {message.Admission{Recipients: 1}, message.Acceptance{Replayed: true}, nil, 1, 1},
		"of another request": {message.Admission{Recipients: 1}, message.Acceptance{Err: quota}, quota, 1, 1},
		"perhaps stored":     {message.Admission{Recipients: 1}, message.Acceptance{Err: message.ErrUnavailable}, message.ErrUnavailable, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			stored := 0
			store := storeFunc(func(_ context.Context, subs []message.Submission) []message.Acceptance {
				stored += len(subs)
				return []message.Acceptance{row.answer}
			})
			g := &guardFunc{admit: func(*message.Message) message.Admission { return row.admission }}
			s := accept.New(store, message.DefaultLimits(), (&wakes{}).wake, time.Now, accept.WithGuard(g))
			s.Start()
			by := &message.Grant{TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 1}}
			if _, err := s.Accept(t.Context(), by, draft(), "", [32]byte{}); !errors.Is(err, row.want) {
				t.Errorf("error %v, want %v", err, row.want)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if stored != row.stored || g.back != row.back {
				t.Errorf("%d stored, %d given back; want %d and %d", stored, g.back, row.stored, row.back)
			}
		})
	}
}

func TestARepetitionIsAnsweredThoughTheQuotaIsUsedUp(t *testing.T) {
	g := &guardFunc{admit: func(*message.Message) message.Admission {
		return message.Admission{Err: &message.Error{Code: message.CodeDailyQuota}}
	}}
	s := accept.New(storeFunc(commitAll), message.DefaultLimits(), (&wakes{}).wake, time.Now, accept.WithGuard(g))
	by := &message.Grant{TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 1}}
	if a, err := s.Accept(t.Context(), by, draft(), "known", [32]byte{7}); err != nil || !a.Replayed {
		t.Errorf("%+v %v", a, err)
	}
}

func TestNothingIsAcceptedForWhoMayNotSend(t *testing.T) {
	s := start(t, func(context.Context, []message.Submission) []message.Acceptance {
		t.Error("the store was called")
		return nil
	}, &wakes{})
	for name, by := range map[string]*message.Grant{
		"no scope": {TenantID: 1}, "read": {TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeRead}},
		"limits that nobody holds": {TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, Domains: []string{"example.com"}}},
	} {
		if _, err := s.Accept(t.Context(), by, draft(), "", [32]byte{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
