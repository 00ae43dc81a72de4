package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

func workerFigures() []experiment {
	return []experiment{
		{
			name:     "worker-dead-before-dot",
			requires: "consumer killed before the final dot, 20 times: the mail is in another's hands within 1 s, duplicated 0",
			takes:    2 * time.Minute,
			run:      workerDead("consumer killed before the dot", smtptest.Rcpt, 20),
		},
		{
			name:     "worker-dead-after-dot",
			requires: "consumer killed after the final dot, 10 times: the mail is settled within 30 s, at most one duplicate each",
			takes:    6 * time.Minute,
			run:      workerDead("consumer killed after the dot", smtptest.Dot, 10),
		},
		{
			name:     "sigterm",
			requires: "SIGTERM to consumers and producer at 100 random moments under load: exit 0 within the grace of 30 s, lost 0, duplicated 0",
			takes:    6 * time.Minute,
			run:      terminated(),
		},
	}
}

// workerDead kills the consumer that has come to a step with a mail, and measures
// how long the mail stays without hands, or without an end.
func workerDead(kind string, step smtptest.Step, times int) playFunc {
	a := &assassin{step: step, names: map[int]string{}}
	p := plan{faults: []string{kind}, script: a.script(), edit: greetings}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		var waits []time.Duration
		for n := range s.repeat(times) {
			took, err := s.killAt(ctx, a, kind)
			if err != nil {
				return m, err
			}
			waits = append(waits, took)
			s.say("%d: %s", n+1, ms(took))
		}
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		limit, what := time.Second, "in another's hands"
		if step == smtptest.Dot {
			limit, what = 30*time.Second, "settled"
		}
		worst := quantile(1, waits)
		v.require(worst <= limit || s.short > 0, "%s only after %s", what, ms(worst)) // in short, other tests share the machine
		m.summary = fmt.Sprintf("%d kills, %s after %s at the median and %s at most, %s", len(waits), what, ms(quantile(0.5, waits)), ms(worst), counts(m.report))
		return m, nil
	})
}

// killAt posts a mail, has the consumer killed that sends it, and starts that again
// once the mail is with another.
func (s *stage) killAt(ctx context.Context, a *assassin, kind string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	hit := make(chan *rig.Member, 1)
	var begun time.Time
	a.arm(func(name string) {
		for _, m := range s.stack.Of(rig.Consumer) {
			if m.Name == name {
				begun = time.Now()
				_ = m.Process().Kill() // it is gone, or the wait below is in vain
				hit <- m
			}
		}
	})
	s.post(ctx, 1)
	var victim *rig.Member
	select {
	case victim = <-hit:
	case <-ctx.Done():
		return 0, fmt.Errorf("no consumer came to the step: %w", ctx.Err())
	}
	f := check.Fault{Begun: begun, Kind: kind, Victim: victim.Name}
	if a.step == smtptest.Dot {
		f.Sends = 1
	}
	s.note(f)
	took, err := s.untilTakenOver(ctx, a, begun)
	// Who has it now must be through with it, or the next kill robs it of its outcome.
	return took, errors.Join(err, s.untilEnded(ctx), s.stack.Start(victim), s.stack.Ready(ctx, victim))
}

func (s *stage) untilEnded(ctx context.Context) error {
	return rig.Await(ctx, restEvery, "the mail's end", func() (bool, error) {
		n, err := s.stack.Open(ctx)
		return n == 0, err
	})
}

// untilTakenOver waits until another has the mail at the step, or, where the dot was
// written, until the mail has its end.
func (s *stage) untilTakenOver(ctx context.Context, a *assassin, begun time.Time) (time.Duration, error) {
	if a.step == smtptest.Dot {
		err := s.untilEnded(ctx)
		return time.Since(begun), err
	}
	select {
	case at := <-a.again:
		return at.Sub(begun), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("nobody took the mail over: %w", ctx.Err())
	}
}

// greetings has each process say its name to the relay host.
func greetings(m *rig.Member, env map[string]string) {
	env["POSTRIDER_HELLO_NAME"] = m.Name + ".example"
}

// terminated stops processes as a service manager does, at random moments. A backlog
// keeps every consumer in the midst of sends.
func terminated() playFunc {
	const kind = "SIGTERM"
	p := plan{faults: []string{kind}, env: map[string]string{"POSTRIDER_CONSUMERS": "normal:8"}, script: smtptest.Script{Rules: []smtptest.Rule{
		{At: smtptest.Data, Delay: 150 * time.Millisecond}, {At: smtptest.Dot, Delay: 150 * time.Millisecond},
	}}}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.post(ctx, 500)
		stop := s.load(ctx, rate)
		slowest, replies, err := s.terminateAll(ctx, kind, s.repeat(100), v)
		stop()
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 5*time.Minute, v); err != nil {
			return m, err
		}
		v.require(s.calls.Refused() == 0, "%d calls refused", s.calls.Refused())
		v.require(replies > 0, "no reply to a final dot was under way: this proves nothing")
		m.summary = fmt.Sprintf("%d stops with %d replies under way, exit 0 each, the slowest %s, %s", len(s.faults), replies, ms(slowest), counts(m.report))
		return m, nil
	})
}

// terminateAll stops and starts one process after the other, and counts the replies
// to final dots that each waited for then.
func (s *stage) terminateAll(ctx context.Context, kind string, times int, v *verdict) (slowest time.Duration, replies int, err error) {
	members := s.stack.Members()
	for n := range times {
		if err := sleep(ctx, rand.N(400*time.Millisecond)); err != nil {
			return 0, 0, err
		}
		victim := members[n%len(members)]
		waits, err := s.repliesAt(ctx, victim, replies == 0)
		if err != nil {
			return 0, 0, err
		}
		replies += waits
		begun := time.Now()
		err = s.harm(ctx, kind, func(_ *stage, ctx context.Context) error { return terminate(ctx, victim) })
		v.require(err == nil, "%v", err)
		slowest = max(slowest, time.Since(begun))
		if err := errors.Join(s.stack.Start(victim), s.stack.Ready(ctx, victim)); err != nil {
			return 0, 0, err
		}
	}
	return slowest, replies, nil
}

// repliesAt counts the replies that a process waits for. While some are wanted, a
// consumer is watched until it waits for one: its sends run in step with each other, so
// that a few moments drawn by chance may all miss them.
func (s *stage) repliesAt(ctx context.Context, m *rig.Member, wanted bool) (n int, err error) {
	pid := m.Process().PID()
	if !wanted || m.API != "" {
		return s.stack.InFlight(ctx, pid)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = rig.Await(ctx, 10*time.Millisecond, "a reply under way", func() (bool, error) {
		n, err = s.stack.InFlight(ctx, pid)
		return n > 0, err
	})
	return n, err
}

// terminate fails unless the process exits with 0 in its grace.
func terminate(ctx context.Context, m *rig.Member) error {
	const grace = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return m.Process().Stop(ctx)
}
