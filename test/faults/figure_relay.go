package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

func relayFigures() []experiment {
	return []experiment{{
		name: "relay-host-dead",
		requires: "relay host dead for 5 min, 500 mails waiting: nothing charged to any mail, in the second half at most one probe in 10 s from each consumer, " +
			"all processes together under 10 % of a core, every consumer says so, all sent within 3 min of its return, lost 0, duplicated 0",
		takes: 8 * time.Minute,
		run:   relayHostDead(),
	}}
}

// deadHost is at the relay host's address while that is dead, and hangs up on
// everybody, but counts them.
type deadHost struct {
	listener net.Listener
	served   sync.WaitGroup

	mu    sync.Mutex
	calls []time.Time
}

func playDead(addr string) (*deadHost, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("play a dead relay host: %w", err)
	}
	d := &deadHost{listener: l}
	d.served.Go(d.serve)
	return d, nil
}

func (d *deadHost) serve() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a host where nobody listens
		}
		_ = conn.Close()
		d.mu.Lock()
		d.calls = append(d.calls, time.Now())
		d.mu.Unlock()
	}
}

func (d *deadHost) close() {
	_ = d.listener.Close()
	d.served.Wait()
}

// between counts the calls of a time.
func (d *deadHost) between(from, to time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, at := range d.calls {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// deadTime is what was seen while the relay host was dead.
type deadTime struct {
	length  time.Duration
	probes  int     // in its second half
	core    float64 // part of a core that all processes used
	charged int     // tries
	unwell  symptoms
}

func relayHostDead() playFunc {
	const kind, before, during = "relay host dead", 50, 500
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.post(ctx, before)
		if err := s.sink().AwaitMails(ctx, before); err != nil {
			return m, err
		}
		var seen deadTime
		err = s.harm(ctx, kind, func(s *stage, ctx context.Context) error {
			seen, err = s.relayDead(ctx, during)
			return err
		})
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 3*time.Minute, v); err != nil {
			return m, err
		}
		most := len(s.stack.Of(rig.Consumer)) * (1 + int(seen.length.Seconds()/2/10))
		v.require(seen.probes <= most, "%d probes in the second half; %d are allowed", seen.probes, most)
		v.require(seen.core < 0.1, "%.1f %% of a core used", 100*seen.core)
		v.require(seen.charged == 0, "%d tries charged", seen.charged)
		s.requireAccepted(v)
		s.requireNoticed(v, seen.unwell, rig.Consumer)
		m.summary = fmt.Sprintf("dead %s, %d probes in the second half, %.1f %% of a core, %d tries charged, all sent %s after, %s; %s",
			seconds(seen.length), seen.probes, 100*seen.core, seen.charged, seconds(m.report.Settled), counts(m.report), seen.unwell)
		return m, nil
	})
}

// relayDead has the relay host die and return, and mails posted meanwhile.
func (s *stage) relayDead(ctx context.Context, mails int) (seen deadTime, err error) {
	s.sink().Close()
	dead, err := playDead(s.relay)
	if err != nil {
		return seen, err
	}
	watch := s.watchHealth(ctx)
	begun := time.Now()
	s.post(ctx, mails)
	seen.length = s.lasting(5 * time.Minute)
	cpu := s.cpu()
	posted := time.Now()
	err = sleep(ctx, seen.length-time.Since(begun))
	seen.core = float64(s.cpu()-cpu) / float64(time.Since(posted))
	now := time.Now()
	seen.probes = dead.between(begun.Add(now.Sub(begun)/2), now)
	seen.unwell = watch()
	dead.close()
	if err != nil {
		return seen, err
	}
	seen.charged, err = s.charged(ctx)
	return seen, errors.Join(err, s.openRelay(smtptest.Script{}))
}

// cpu is what all processes have used.
func (s *stage) cpu() time.Duration {
	var sum time.Duration
	for _, m := range s.stack.Members() {
		if u, err := m.Process().Usage(); err == nil {
			sum += u.CPU
		}
	}
	return sum
}

// charged counts the tries of mails that are not sent.
func (s *stage) charged(ctx context.Context) (n int, err error) {
	err = s.stack.DB().QueryRowContext(ctx, `SELECT COALESCE(sum(attempts), 0) FROM deliveries WHERE status <> $1`,
		string(message.StatusSent)).Scan(&n)
	return n, err
}
