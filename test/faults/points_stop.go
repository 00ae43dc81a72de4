package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// stopPoints hold a consumer still, ask it to stop and lose patience, or kill one
// after the other over the same mail.
func stopPoints() []*killPoint {
	return []*killPoint{
		{
			name: "consumer-stopped-before-mark", row: 16, times: 3, cast: stalls, env: oneAtATime(), onlyOnce: true,
			fault: "the consumer is stopped in the midst of a mail until its lease is over and another has sent it, then goes on",
			seen:  "its mark is refused, it writes no final dot",
			once:  func(ctx context.Context, e *episode) error { return e.stall(ctx, smtptest.Data) },
		},
		{
			name: "consumer-stopped-after-dot", row: 16, times: 3, cast: stalls, env: oneAtATime(), end: settledLate,
			fault: "the consumer is stopped after the final dot until its lease is over and others have decided, then goes on",
			seen:  "its 250 is recorded in the end, also over the state unknown",
			once:  func(ctx context.Context, e *episode) error { return e.stall(ctx, smtptest.Dot) },
		},
		{
			name: "consumer-terminated-then-killed", row: 58, times: 20, cast: doubts, end: inWindow,
			fault: "the consumer gets a SIGTERM after the final dot, before the 250, and a SIGKILL a second later",
			seen:  "one unknown outcome is on record",
			once: func(ctx context.Context, e *episode) error {
				return e.strikeOn(ctx, smtptest.Dot, func(holder *rig.Member) {
					p := holder.Process()
					p.Expected()
					e.trouble = errors.Join(p.Signal(syscall.SIGTERM), sleep(ctx, time.Second))
					e.kill(ctx, holder)
				})
			},
		},
		{
			name: "consumer-terminated-twice", row: 58, times: 20, cast: doubts, end: inWindow,
			fault: "the consumer gets two SIGTERM after the final dot, before the 250",
			seen:  "the second ends it at once; one unknown outcome is on record",
			once: func(ctx context.Context, e *episode) error {
				return e.strikeOn(ctx, smtptest.Dot, func(holder *rig.Member) { e.terminateTwice(ctx, holder) })
			},
		},
		{
			name: "delivery-limit", row: 28, times: 2, cast: twoConsumers, slow: true,
			fault: "25 consumers in a row are killed when they get the same copy, 20 being what the broker gives out again",
			seen:  "the broker gives the copy up, it is published again from the tables and sent",
			once:  dieAgainAndAgain,
		},
	}
}

// oneAtATime keeps the broker from handing more copies to a consumer that is
// stopped with one: it would find out only by the heartbeats that are missing.
func oneAtATime() map[string]string { return map[string]string{"POSTRIDER_CONSUMERS": "normal:1"} }

// stall stops the mail's consumer at a step until the mail has ended without it.
func (e *episode) stall(ctx context.Context, at smtptest.Step) error {
	err := e.strikeOn(ctx, at, func(holder *rig.Member) {
		e.victim, e.struck = holder, time.Now()
		e.trouble = halt(ctx, holder.Process())
	})
	if err != nil {
		return err
	}
	pid := e.victim.Process().PID()
	sends, err := e.stack.InFlight(ctx, pid)
	err = errors.Join(err, e.awaitEnd(ctx), e.victim.Process().Resume())
	e.note(check.Fault{Begun: e.struck, Ended: time.Now(), Kind: e.point.name, Victim: e.victim.Name, Sends: sends})
	e.after = func(ctx context.Context) error { return e.awaitStatus(ctx, message.StatusSent) }
	return err
}

// halt holds a process still and waits until it is: with the signal alone, one of
// its threads may still take the next step.
func halt(ctx context.Context, p *rig.Process) error {
	if err := p.Pause(); err != nil {
		return err
	}
	return rig.Await(ctx, time.Millisecond, p.Name+" to stand still", func() (bool, error) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			// After the name, which ends with the last parenthesis, comes the state.
			if end := bytes.LastIndexByte(stat, ')'); err == nil && !bytes.HasPrefix(stat[end+1:], []byte(" T")) {
				return false, nil
			}
		}
		return len(threads) > 0, err
	})
}

// awaitStatus waits for the end that a late outcome makes.
func (e *episode) awaitStatus(ctx context.Context, want message.Status) error {
	return rig.Await(ctx, 20*time.Millisecond, fmt.Sprintf("%s to be %s", e.address, want), func() (bool, error) {
		o, err := e.outcome(ctx)
		return o.status == want, err
	})
}

// terminateTwice gives the first signal time to be taken as one by itself.
func (e *episode) terminateTwice(ctx context.Context, holder *rig.Member) {
	p := holder.Process()
	p.Expected()
	err := p.Signal(syscall.SIGTERM)
	for again := time.Duration(0); err == nil && !p.Exited() && again < stepLimit; again += 100 * time.Millisecond {
		err = errors.Join(sleep(ctx, 100*time.Millisecond), p.Signal(syscall.SIGTERM))
	}
	e.kill(ctx, holder) // it is dead, or the point will show that it was not
	e.trouble = errors.Join(e.trouble, err)
}

// dieAgainAndAgain is a mail that every consumer dies of, until it does not.
func dieAgainAndAgain(ctx context.Context, e *episode) error {
	const kills = 25
	dead := make(chan *rig.Member, kills)
	deadly := e.spy(tap.Rule{
		From: tap.Server, At: "basic.deliver", Times: kills, End: tap.Drop,
		Do: func(ev tap.Event) {
			e.kill(ctx, e.owner(ev.Proxy))
			dead <- e.victim
		},
	}, e.of(rig.Consumer, broker))
	posted := e.post(ctx)
	for range kills {
		select {
		case m := <-dead:
			if err := e.stack.Start(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: %d kills: %w", errNotFired, deadly.Fired(), ctx.Err())
		}
	}
	e.after = func(ctx context.Context) error {
		n, err := e.count(ctx, `SELECT dispatch FROM deliveries WHERE address = $1`)
		if err == nil && n < 2 {
			err = fmt.Errorf("%w: the broker never gave the copy up", errUnmet)
		}
		return err
	}
	return ended(ctx, posted)
}
