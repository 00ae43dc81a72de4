package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// action makes a fault and returns when the part is back as it was. An error is a
// fault that could not be made, or a part that did not bear it as it must.
type action func(ctx context.Context, a *arena, f planned) error

// makeFaults makes the sequence and returns when the last fault is over. Each part
// has its faults at their times, or later: when it is back from the one before and has
// been well for a while. Those whose time then never comes are counted.
func (a *arena) makeFaults(ctx context.Context, sequence []planned) {
	begun := time.Now()
	byTarget := map[string][]planned{}
	for _, f := range sequence {
		byTarget[f.target()] = append(byTarget[f.target()], f)
	}
	var running sync.WaitGroup
	for _, faults := range byTarget {
		running.Go(func() { a.makeFaultsTo(ctx, begun, faults) })
	}
	running.Wait()
}

func (a *arena) makeFaultsTo(ctx context.Context, begun time.Time, faults []planned) {
	end := begun.Add(a.o.duration)
	for i, f := range faults {
		if !wait(ctx, time.Until(begun.Add(f.at))) {
			return
		}
		if !time.Now().Before(end) {
			a.faults.omit(len(faults) - i)
			return
		}
		f.lasts = min(f.lasts, time.Until(end))
		a.makeFault(ctx, f)
		if i < len(faults)-1 {
			wait(ctx, f.kind.rest)
		}
	}
}

// makeFault ends what it has begun even if ctx is over: nothing stays held still.
func (a *arena) makeFault(ctx context.Context, f planned) {
	lock := a.lock(f.target())
	lock.Lock()
	defer lock.Unlock()
	if err := f.kind.do(context.WithoutCancel(ctx), a, f); err != nil {
		a.faults.wrong(fmt.Errorf("fault %d, %s to %s: %w", f.number, f.kind.name, f.target(), err))
	}
}

// ---- processes

func killProcess(ctx context.Context, a *arena, f planned) error {
	m := a.member(f)
	pid := m.Process().PID()
	if err := m.Process().Kill(); err != nil {
		return err
	}
	i := a.faults.begin(f)
	if f.kind.part == producers { // which sends nothing
		wait(ctx, f.lasts)
		return a.stack.Start(m)
	}
	if a.stack.Embedded() { // the next to open the file repairs it at once
		a.countSends(ctx, i, pid)
	}
	wait(ctx, f.lasts)
	err := a.stack.Start(m)
	if !a.stack.Embedded() {
		a.countSends(ctx, i, pid)
	}
	return err
}

// pauseProcess counts sends where the process is held still long enough for a lease
// to lapse, which is renewed every quarter of it.
func pauseProcess(ctx context.Context, a *arena, f planned) error {
	p := a.member(f).Process()
	if err := p.Pause(); err != nil {
		return err
	}
	i, begun := a.faults.begin(f), time.Now()
	if f.lasts > a.lease()/2 && f.kind.part != producers {
		a.countSends(ctx, i, p.PID())
	}
	wait(ctx, f.lasts-time.Since(begun))
	err := p.Resume()
	a.faults.end(i)
	return err
}

func restartProcess(ctx context.Context, a *arena, f planned) error {
	m := a.member(f)
	i := a.faults.begin(f)
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := m.Process()
	stopped := p.Stop(limited)
	if p.Output() == "" { // it had not begun, and died of the signal as any program does
		stopped = nil
	}
	wait(ctx, f.lasts)
	err := a.stack.Start(m)
	a.faults.end(i)
	return errors.Join(stopped, err)
}

// lease is how long a mail stays with a consumer that is not heard of.
func (a *arena) lease() time.Duration {
	lease, err := time.ParseDuration(a.settings()["POSTRIDER_LEASE"])
	if err != nil {
		return 20 * time.Second
	}
	return lease
}

// mostSends is what one process can have in flight by rig's own settings, for when
// nobody answers the question.
const mostSends = 14

// countSends asks how many outcomes the process can have lost. The database may be
// away: then nobody can change what it will answer, not for 10 s after it is back.
func (a *arena) countSends(ctx context.Context, i, pid int) {
	a.faults.sends(i, mostSends)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := rig.Await(ctx, 50*time.Millisecond, "the number of sends in flight", func() (bool, error) {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		n, err := a.stack.InFlight(asking, pid)
		if err == nil {
			a.faults.sends(i, n)
		}
		return err == nil, nil
	})
	if err != nil {
		a.faults.wrong(err)
	}
}

// ---- services

// service makes a fault of two halves.
func service(ctx context.Context, a *arena, f planned, harm, mend string) error {
	i := a.faults.begin(f)
	if err := a.services.Fault(ctx, string(f.kind.part)+"-"+harm); err != nil {
		return err
	}
	if mend != "" {
		wait(ctx, f.lasts)
		if err := a.services.Fault(ctx, string(f.kind.part)+"-"+mend); err != nil {
			return err
		}
	}
	a.faults.end(i)
	return nil
}

func killService(ctx context.Context, a *arena, f planned) error {
	return service(ctx, a, f, "kill", "start")
}

func pauseService(ctx context.Context, a *arena, f planned) error {
	return service(ctx, a, f, "pause", "resume")
}

func stopService(ctx context.Context, a *arena, f planned) error {
	return service(ctx, a, f, "stop", "start")
}

func restartDatabase(ctx context.Context, a *arena, f planned) error {
	return service(ctx, a, f, "restart", "")
}

func wipeBroker(ctx context.Context, a *arena, f planned) error {
	return service(ctx, a, f, "wipe", "")
}

// ---- connections and queues

var errNothingCut = errors.New("the broker knew of no connection to close")

// cutConnections waits for the broker's management to learn of connections, which
// takes it some seconds after they are made.
func cutConnections(ctx context.Context, a *arena, f planned) error {
	for range 50 {
		cut, err := a.stack.CutBrokerConnections(ctx)
		if err != nil {
			return err
		}
		if cut > 0 {
			a.faults.begin(f)
			return nil
		}
		wait(ctx, 200*time.Millisecond)
	}
	return errNothingCut
}

func purgeQueue(ctx context.Context, a *arena, f planned) error {
	return a.emptied(f, a.stack.PurgeQueue(ctx, a.queue(f)))
}

func deleteQueue(ctx context.Context, a *arena, f planned) error {
	return a.emptied(f, a.stack.DeleteQueue(ctx, a.queue(f)))
}

func (a *arena) queue(f planned) string {
	queues := a.stack.Queues()
	return queues[f.pick%uint64(len(queues))]
}

func (a *arena) emptied(f planned, err error) error {
	if err == nil {
		a.faults.begin(f)
	}
	return err
}

// cutRelayHost drops every session, in the midst of mails too: each can have lost one
// outcome.
func cutRelayHost(_ context.Context, a *arena, f planned) error {
	busy := a.relay.Stats().Busy
	i := a.faults.begin(f)
	a.faults.sends(i, busy)
	a.relay.DropIdle()
	return nil
}
