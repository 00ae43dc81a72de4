package accept

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/internal/batch"
	"github.com/postrider/postrider/internal/message"
)

const (
	// maxGroup is how many messages share a transaction.
	maxGroup = 128
	// maxGroupBytes bounds what one transaction carries.
	maxGroupBytes = 4 << 20
	// ownTransaction is the size from which a message does not wait for others
	// nor let others wait for it.
	ownTransaction = 256 << 10
	// storeTimeout ends a commit that hangs. The caller then gets
	// message.ErrUnavailable and repeats with the same key.
	storeTimeout = 10 * time.Second
)

// Service takes messages in. Safe for concurrent use between Start and Stop.
type Service struct {
	store  Store
	limits message.Limits
	wake   func(message.Lane)
	now    func() time.Time
	guard  Guard
	group  *batch.Batcher[message.Submission, message.Acceptance]

	templates Templates // nil: none are offered
	rendered  *semaphore.Weighted
	files
}

// Option changes a service.
type Option func(*Service)

// WithGuard has messages of restricted keys held to their limits. Without it
// they are refused.
func WithGuard(g Guard) Option { return func(s *Service) { s.guard = g } }

// WithTemplates lets drafts name templates.
func WithTemplates(t Templates) Option { return func(s *Service) { s.templates = t } }

// New returns a service that commits to store and calls wake, which must not
// block, with the lane of each message after its commit. Now is this host's
// clock: only the plausibility of the caller's times is judged by it.
func New(store Store, limits message.Limits, wake func(message.Lane), now func() time.Time, options ...Option) *Service {
	s := &Service{store: store, limits: limits, wake: wake, now: now, rendered: semaphore.NewWeighted(renderedBytes)}
	for _, option := range options {
		option(s)
	}
	s.group = batch.New(maxGroup, s.commit, batch.Weight(maxGroupBytes, weigh))
	return s
}

// Start begins to commit. Messages posted before wait for it.
func (s *Service) Start() { s.group.Start() }

// Stop refuses new messages, commits those that wait, and returns when nothing
// runs any more, or with an error when ctx ends first. It may be repeated.
func (s *Service) Stop(ctx context.Context) error { return s.group.Stop(ctx) }

// Accept validates the draft, holds it to what the grant allows, and commits the
// message. Key is the caller's idempotency key, "" for none, and hash the digest
// of the request it stands for.
//
// The error is a *message.Error when the request is refused, or wraps
// message.ErrUnavailable when nobody knows whether the message was committed:
// repeated with the same key it is committed once.
func (s *Service) Accept(ctx context.Context, by *message.Grant, draft *message.Draft, key string, hash [32]byte) (message.Acceptance, error) {
	held := s.room()
	defer held.leave()
	m, err := s.compose(ctx, by, draft)
	if err == nil {
		err = held.take(m)
	}
	if err != nil {
		return s.replay(ctx, by.TenantID, key, hash, err)
	}
	counted, err := s.admit(ctx, by, m)
	if err != nil {
		return s.replay(ctx, by.TenantID, key, hash, err)
	}
	a, tried, err := s.take(ctx, draft, message.Submission{Message: m, IdempotencyKey: key, Hash: hash})
	if err == nil {
		err = a.Err
	}
	if counted.Recipients > 0 && (!tried || notStored(a, err)) {
		s.guard.GiveBack(ctx, by, []message.Admission{counted})
	}
	if err != nil {
		return message.Acceptance{}, fmt.Errorf("accept: %w", err)
	}
	return a, nil
}

// admit holds a message to its key. Every way of accepting passes here before
// anything is stored.
func (s *Service) admit(ctx context.Context, by *message.Grant, m *message.Message) (message.Admission, error) {
	switch {
	case !by.May(message.RightSend):
		return message.Admission{}, &message.Error{Code: message.CodeRestrictedAPIKey, Detail: "this API key may not send"}
	case !by.Restricted():
		return message.Admission{}, nil
	case s.guard == nil:
		return message.Admission{}, errors.New("accept: nobody is there to hold a key to its limits")
	}
	a := s.guard.Admit(ctx, by, []*message.Message{m})[0]
	return a, a.Err
}

// notStored reports whether it is certain that no message came of a submission that the
// store was given.
func notStored(a message.Acceptance, err error) bool {
	var refused *message.Error
	return a.Replayed || errors.As(err, &refused)
}

// Check makes of the draft what Accept would commit, at this host's time, lets look see
// it, and stores nothing. Its error is Accept's, except that no daily quota is asked for,
// or look's. What look keeps of the message counts no more for what all may hold.
func (s *Service) Check(ctx context.Context, by *message.Grant, draft *message.Draft, look func(*message.Message) error) error {
	held := s.room()
	defer held.leave()
	m, err := s.compose(ctx, by, draft)
	if err == nil {
		err = held.take(m)
	}
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(m.Head.From.Email, "@")
	switch {
	case !by.May(message.RightSend):
		return &message.Error{Code: message.CodeRestrictedAPIKey, Detail: "this API key may not send"}
	case !by.AllowsSender(domain):
		return &message.Error{Code: message.CodeDomainNotAllowed, Detail: "this API key may not send from " + domain}
	}
	if s.fetcher == nil && hasPaths(draft) {
		return refusePaths(draft)
	}
	m.CreatedAt = s.now()
	return look(m)
}

// compose renders and validates the draft: it is the way of all messages.
func (s *Service) compose(ctx context.Context, by *message.Grant, draft *message.Draft) (*message.Message, error) {
	m, err := s.write(ctx, by.TenantID, draft, s.now())
	if err != nil {
		return nil, err
	}
	m.ID, m.TenantID = message.NewID(), by.TenantID
	return m, nil
}

// replay is for a request that is refused now: what was right when it was
// accepted, such as an expires_at, may be past when its answer was lost and it
// is repeated.
func (s *Service) replay(ctx context.Context, tenant int64, key string, hash [32]byte, refusal error) (message.Acceptance, error) {
	if key == "" {
		return message.Acceptance{}, refusal
	}
	answer, found, err := s.store.Replay(ctx, tenant, key, hash)
	switch {
	case err != nil:
		return message.Acceptance{}, fmt.Errorf("accept: %w", err)
	case !found:
		return message.Acceptance{}, refusal
	}
	return answer, nil
}

func (s *Service) submit(ctx context.Context, sub message.Submission) (message.Acceptance, error) {
	if weigh(sub) >= ownTransaction {
		return s.commit(ctx, []message.Submission{sub})[0], nil
	}
	a, err := s.group.Do(ctx, sub)
	if err != nil {
		return a, fmt.Errorf("%w: %w", message.ErrUnavailable, err)
	}
	return a, nil
}

// commit stores the submissions and wakes their lanes, each once.
func (s *Service) commit(ctx context.Context, subs []message.Submission) []message.Acceptance {
	ctx, cancel := context.WithTimeoutCause(ctx, storeTimeout, fmt.Errorf("commit took longer than %v", storeTimeout))
	defer cancel()
	answers := s.store.Accept(ctx, subs)
	woken := map[message.Lane]bool{}
	for i, a := range answers {
		lane := subs[i].Message.Lane
		if a.Err == nil && !a.Replayed && !woken[lane] {
			woken[lane] = true
			s.wake(lane)
		}
	}
	return answers
}

// weigh is about the number of bytes the message occupies.
func weigh(s message.Submission) int { return s.Message.Bytes() }
