package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

// send takes a group of mails through their whole life: accepted, published, claimed,
// marked and recorded as sent.
func send(ctx context.Context, s *store.Store, group int) error {
	for _, a := range s.Accept(ctx, submissions(group)) {
		if a.Err != nil {
			return fmt.Errorf("accept: %w", a.Err)
		}
	}
	var bids []message.Bid
	_, _, err := s.Dispatch(ctx, message.LaneNormal, group, func(_ context.Context, refs []message.Ref) []error {
		for _, ref := range refs {
			bids = append(bids, message.Bid{Ref: ref})
		}
		return make([]error, len(refs))
	})
	if err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	if len(bids) != group {
		return fmt.Errorf("dispatch: %d mails of %d", len(bids), group)
	}
	return deliver(ctx, s, bids)
}

func deliver(ctx context.Context, s *store.Store, bids []message.Bid) error {
	claims, err := s.Claim(ctx, bids)
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	held := make([]message.Held, len(claims))
	outcomes := make([]message.Outcome, len(claims))
	for i, c := range claims {
		if c.State != message.ClaimTaken {
			return errors.New("claim: a mail that nobody else has was not given")
		}
		held[i] = c.Work.Held
		outcomes[i] = message.Outcome{Held: c.Work.Held, Kind: message.OutcomeSent}
	}
	if _, err := s.Mark(ctx, held); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return errors.Join(s.Record(ctx, outcomes)...)
}

func submissions(n int) []message.Submission {
	list := make([]message.Submission, n)
	for i := range list {
		list[i].Message = &message.Message{
			ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Kind: message.ChannelEmail, Lane: message.LaneNormal,
			Head: message.Head{To: []message.Address{{Email: "a@example.com"}}},
		}
	}
	return list
}
