package store

import (
	"context"
	"slices"

	"github.com/postrider/postrider/internal/message"
)

var bidValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vdispatch", kindInt}, {"vredelivered", kindInt},
}

// claimable is the guard of a claim, given that the numbers are equal. There is
// no look at the time of the next attempt: the number proves that it has come.
func (t *txn) claimable() string {
	return `message_id=vid AND n=vn AND dispatch=vdispatch AND (status='queued' OR
		status='sending' AND phase=1 AND (lease_until<` + t.clock() + ` OR vredelivered=1 AND interrupted=0))`
}

// Claim takes each delivery whose copy may have it and reads its content. Of
// two bids for one delivery the first takes it.
//
// Contents are read first, for whatever looks as if it could be claimed: they
// never change, and may take long. So no row is locked meanwhile, and a claim
// that stands has its content. A read after the commit could fail, and the copy
// would come back to a claim that lives and that nobody works on.
func (s *Store) Claim(ctx context.Context, bids []message.Bid) ([]message.Claim, error) {
	if len(bids) == 0 {
		return nil, nil
	}
	known, err := s.contentsFor(ctx, bids)
	if err != nil {
		return nil, err
	}
	var taken []*claimed
	err = s.tx(ctx, "claim", func(ctx context.Context, t *txn) (err error) {
		taken = nil
		step := t.take(bids, &taken)
		if known.hasAll(bids) {
			return t.last(ctx, step...)
		}
		if err := t.run(ctx, step...); err != nil {
			return err
		}
		return t.readMore(ctx, taken, known)
	})
	if err != nil {
		return nil, err
	}
	claims := make([]message.Claim, len(bids))
	if err := s.explain(ctx, hand(taken, bids, claims), bids, claims, len(taken) > 0); err != nil {
		return nil, err
	}
	s.fill(claims, known)
	for _, c := range taken {
		s.marks.see(c.work.Lane, c.published)
	}
	return claims, nil
}

// claimed is what the claim returned of a row.
type claimed struct {
	work      message.Work
	tenant    int64
	published int64 // 0: the consumer was faster than the relay's commit
}

func bidRows(bids []message.Bid) [][]any {
	rows := make([][]any, len(bids))
	for i, b := range bids {
		redelivered := 0
		if b.Redelivered {
			redelivered = 1
		}
		rows[i] = []any{b.MessageID, b.N, b.Dispatch, redelivered}
	}
	return rows
}

func (t *txn) take(bids []message.Bid, taken *[]*claimed) []command {
	l := inOrder(list{columns: bidValues, fixed: []any{t.lease, t.cfg.Worker.ID}, rows: bidRows(bids)})
	return t.with(l, `
		UPDATE deliveries SET status='sending', phase=`+t.newPhase()+`, claim=claim+1, worker_id=$2, lease_until=`+t.clock()+`+$1,
			interrupted=interrupted + CASE WHEN status='sending' THEN 1 ELSE 0 END
		FROM v WHERE `+t.claimable()+` AND `+t.live()+`
		RETURNING message_id, n, dispatch, claim, tenant_id, channel, lane, address,
			attempts, unknown_outcomes, phase, lease_until, COALESCE(published_at, 0)`, func(rows row) error {
		var c claimed
		var phase message.Phase
		var lease int64
		w := &c.work
		err := rows.Scan(&w.MessageID, &w.N, &w.Dispatch, &w.Claim, &c.tenant, &w.Channel, &w.Lane, &w.Address,
			&w.Attempts, &w.UnknownOutcomes, &phase, &lease, &c.published)
		w.Marked, w.ClaimedAt = phase == message.PhaseData, fromMillis(lease-t.lease)
		*taken = append(*taken, &c)
		return err
	})
}

// hand gives each claimed delivery to the first bid for it and returns the
// bids for deliveries that were not claimed.
func hand(taken []*claimed, bids []message.Bid, claims []message.Claim) []int {
	waiting := make(map[message.Ref]*message.Work, len(taken))
	mine := make(map[message.Key]bool, len(taken))
	for _, c := range taken {
		waiting[message.Ref{Key: c.work.Key, Dispatch: c.work.Dispatch}] = &c.work
		mine[c.work.Key] = true
	}
	var open []int
	for i, bid := range bids {
		if work := waiting[bid.Ref]; work != nil {
			claims[i] = message.Claim{State: message.ClaimTaken, Work: work}
			delete(waiting, bid.Ref)
		} else if !mine[bid.Key] {
			open = append(open, i)
		}
	}
	return open
}

// explain says of the bids that took nothing whether their delivery has
// expired, which it then records, or does not exist. Where others of the call took
// something, its failure must not take that from them: a bid that nobody can
// explain took nothing, and its row is in other custody than its copy's.
func (s *Store) explain(ctx context.Context, open []int, bids []message.Bid, claims []message.Claim, some bool) error {
	if len(open) == 0 {
		return nil
	}
	states := map[message.Ref]message.ClaimState{}
	err := s.tx(ctx, "explain a claim", func(ctx context.Context, t *txn) error {
		clear(states)
		return t.last(ctx, t.reasons(open, bids, states)...)
	})
	if err != nil && !some {
		return err
	}
	if err != nil {
		s.log.Warn("copies that took nothing are not explained", "copies", len(open), "error", err)
		clear(states)
	}
	for _, at := range open {
		claims[at].State = states[bids[at].Ref]
		if err != nil {
			claims[at].State = message.ClaimNothing
		}
		if states[bids[at].Ref] == message.ClaimExpired {
			states[bids[at].Ref] = message.ClaimNothing
		}
	}
	return nil
}

// reasons note what became of the deliveries that were bid for.
func (t *txn) reasons(open []int, bids []message.Bid, states map[message.Ref]message.ClaimState) []command {
	rest := make([]message.Bid, len(open))
	for i, at := range open {
		rest[i] = bids[at]
		states[bids[at].Ref] = message.ClaimMissing
	}
	note := func(state message.ClaimState) func(row) error {
		return func(rows row) error {
			var ref message.Ref
			err := rows.Scan(&ref.MessageID, &ref.N, &ref.Dispatch)
			states[ref] = state
			return err
		}
	}
	l := list{columns: bidValues, rows: bidRows(rest)}
	return slices.Concat(
		t.with(l, `SELECT vid, vn, vdispatch FROM v CROSS JOIN deliveries WHERE message_id=vid AND n=vn`, note(message.ClaimNothing)),
		t.lock(keysOf(rest, func(b message.Bid) message.Key { return b.Key })),
		t.with(l, `UPDATE deliveries SET `+t.ended(`'failed'`, `'expired'`)+`
			FROM v WHERE `+t.claimable()+` AND `+t.expired()+` RETURNING message_id, n, dispatch`, note(message.ClaimExpired)))
}
