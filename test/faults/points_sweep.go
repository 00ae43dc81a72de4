package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// sweepPoints kill a producer while it repairs. A sweep judges no lease for 10 s
// after its start, so these take their time.
func sweepPoints() []*killPoint {
	return []*killPoint{
		{
			name: "sweep-mid-batch", row: 13, times: 50, cast: threeSweeps, later: true,
			fault: "the sweep is killed between the statements that take a dead worker's mail back",
			seen:  "its transaction is rolled back and another sweep takes it back",
			once: func(ctx context.Context, e *episode) error {
				return e.dieSweeping(ctx, tap.Rule{From: tap.Client, At: "Bind", Match: "INSERT INTO outbox"})
			},
		},
		{
			name: "sweep-before-commit", row: 13, times: 50, cast: threeSweeps, later: true,
			fault: "the sweep is killed before its COMMIT reaches Postgres",
			seen:  "its transaction is rolled back and another sweep takes the mail back",
			once: func(ctx context.Context, e *episode) error {
				return e.dieSweeping(ctx, tap.Rule{From: tap.Client, At: "Query", Match: "commit"})
			},
		},
	}
}

// dieSweeping leaves a mail as a worker does that died before its mark and without
// whom the broker's copy is gone too, and kills who takes it back.
func (e *episode) dieSweeping(ctx context.Context, r tap.Rule) error {
	e.mail = e.scheduled(time.Hour)
	if err := ended(ctx, e.post(ctx)); err != nil {
		return err
	}
	struck := make(chan struct{})
	r.Within, r.Times, r.End = "the worker went away", 1, tap.Drop
	if r.At == "Bind" { // history is written after it
		r.Within = "SELECT message_id, n, claim, phase"
	}
	r.Do = func(ev tap.Event) { defer close(struck); e.kill(ctx, e.owner(ev.Proxy)) }
	t := e.spy(r, e.of(rig.Producer, tables))
	if err := e.abandon(ctx); err != nil {
		return err
	}
	return errors.Join(e.awaitStrike(ctx, t, struck), e.restart())
}

func (e *episode) abandon(ctx context.Context) error {
	res, err := e.stack.DB().ExecContext(ctx, `
		WITH mine AS (
			UPDATE deliveries SET status = 'sending', phase = 1, claim = claim + 1, lease_until = 1
			WHERE address = $1 AND status = 'queued' RETURNING message_id, n)
		DELETE FROM outbox o USING mine WHERE o.message_id = mine.message_id AND o.n = mine.n`, e.address)
	if err != nil {
		return fmt.Errorf("abandon %s: %w", e.address, err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		return fmt.Errorf("%w: %d rows of %s were abandoned: %w", errNotFired, n, e.address, err)
	}
	return nil
}

// everyRowOnce has two relays awake at the same rows, which every acceptance does.
// It goes on until both have had some of them.
func everyRowOnce(ctx context.Context, e *episode) error {
	const crowd, most = 50, 10
	producers := e.of(rig.Producer, broker)
	var each []*tap.Trigger
	for _, p := range producers {
		each = append(each, e.spy(tap.Rule{From: tap.Client, At: "basic.publish"}, []*tap.Proxy{p}))
	}
	posted := 1
	err := ended(ctx, e.post(ctx))
	for round := 0; err == nil && (each[0].Fired() == 0 || each[1].Fired() == 0 || round == 0); round++ {
		if round == most {
			return fmt.Errorf("%w: one relay did all", errNotFired)
		}
		load := rig.Load{APIs: e.stack.APIs(), Callers: callers, Count: crowd, Mail: func(i int) rig.Mail {
			return e.letter(fmt.Sprintf("%s-%d-%d", e.mail.Key, round, i), nil)
		}}
		load.Run(ctx, &e.calls)
		posted += crowd
		err = e.awaitAll(ctx, posted)
	}
	if err != nil {
		return err
	}
	e.note(check.Fault{Begun: time.Now(), Kind: e.point.name})
	if n := each[0].Fired() + each[1].Fired(); n != posted {
		return fmt.Errorf("%w: %d rows were published %d times", errUnmet, posted, n)
	}
	return nil
}

// awaitAll waits until so many mails of the episode have ended.
func (e *episode) awaitAll(ctx context.Context, want int) error {
	return rig.Await(ctx, 20*time.Millisecond, fmt.Sprintf("%d mails to end", want), func() (bool, error) {
		var n int
		err := e.stack.DB().QueryRowContext(ctx,
			`SELECT count(*) FROM deliveries WHERE address LIKE $1 AND finished_at IS NOT NULL`, e.mail.Key+"%").Scan(&n)
		return n >= want, err
	})
}
