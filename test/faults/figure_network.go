package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

func networkFigures() []experiment {
	var list []experiment
	for _, w := range []struct {
		wire   string
		within time.Duration
		bound  string
	}{
		{wireBroker, 25 * time.Second, "duplicated 0"},
		{wireDatabase, 25 * time.Second, "at most one duplicate for each reply under way"},
		{wireRelay, 45 * time.Second, "at most one duplicate for each reply under way"},
	} {
		list = append(list, experiment{
			name: "half-open-" + w.wire,
			requires: fmt.Sprintf("wire from one of two consumers to %s swallows everything for 60 s: it says so within %s and is well again without a restart, "+
				"all sent within 60 s after, lost 0, %s", w.wire, w.within, w.bound),
			takes: 4 * time.Minute,
			run:   halfOpen(w.wire, w.within),
		})
	}
	return list
}

// halfOpen has one consumer on an island lose a wire under load, while the other and
// the producer go on.
func halfOpen(wire string, within time.Duration) playFunc {
	return func(ctx context.Context, b *bench) (m measurement, err error) {
		i, err := newIsland(ctx)
		if err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, i.remove(context.WithoutCancel(ctx))) }()
		const islander = "consumer-1"
		p := plan{
			faults: []string{"wire cut"},
			// So that a reply to a final dot is always under way.
			script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: 400 * time.Millisecond}}},
			// The waits of RFC 5321 are minutes; what is measured is that they end.
			env: map[string]string{"POSTRIDER_SEND_TIMEOUT": "10s", "POSTRIDER_REPLY_TIMEOUT": "15s"},
			edit: func(m *rig.Member, env map[string]string) {
				if m.Name == islander {
					i.edit(m, env)
				}
			},
			launch: func(m *rig.Member, c *rig.Command) {
				if m.Name == islander {
					i.launch(c)
				}
			},
		}
		return onStage(p, func(ctx context.Context, s *stage, v *verdict) (measurement, error) {
			return s.loseWire(ctx, v, i, wire, within)
		})(ctx, b)
	}
}

func (s *stage) loseWire(ctx context.Context, v *verdict, i *island, wire string, within time.Duration) (m measurement, err error) {
	if i.failed != nil {
		return m, i.failed
	}
	victim := s.stack.Of(rig.Consumer)[0]
	s.afterwards(func(_ *stage, ctx context.Context) error { return i.mend(ctx, wire) })
	stop := s.load(ctx, rate/2)
	defer stop()
	if err := s.awaitSending(ctx, victim); err != nil {
		return m, err
	}
	f := check.Fault{Begun: time.Now(), Kind: "wire cut", Victim: victim.Name}
	watch := s.watchHealth(ctx)
	if err := i.cut(ctx, wire); err != nil {
		return m, err
	}
	// What the relay host answers can be lost, or cannot be recorded before the lease
	// ends: to the database, a holder that it does not hear is as good as dead.
	if wire != wireBroker {
		if f.Sends, err = s.stack.InFlight(ctx, victim.Process().PID()); err != nil {
			return m, err
		}
	}
	err = errors.Join(sleep(ctx, s.lasting(time.Minute)), i.mend(ctx, wire))
	unwell := watch()
	f.Ended = time.Now()
	s.note(f)
	stop()
	if err != nil {
		return m, err
	}
	if m.report, err = s.judge(ctx, 0, v); err != nil {
		return m, err
	}
	s.requireAccepted(v)
	said, noticed := unwell.first[victim.Name]
	v.require(noticed && said.after <= within || s.short > 0, "%s said so only after %s", victim.Name, said.after)
	m.summary = fmt.Sprintf("cut for %s with %d replies under way, %s, all sent %s after; %s", s.harmed(), f.Sends, counts(m.report), seconds(m.report.Settled), unwell)
	return m, nil
}

// awaitSending waits until a process has a final dot out and no reply: the broker
// hands the mails of a moment to one process after the other.
func (s *stage) awaitSending(ctx context.Context, m *rig.Member) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return rig.Await(ctx, 20*time.Millisecond, m.Name+" to send", func() (bool, error) {
		n, err := s.stack.InFlight(ctx, m.Process().PID())
		return n > 2, err
	})
}
