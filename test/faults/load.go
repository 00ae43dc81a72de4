package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

// callers is how many post at the same time.
const callers = 16

// post has n more mails accepted, or at least asked for, as fast as that goes.
func (s *stage) post(ctx context.Context, n int) {
	s.run(ctx, rig.Load{Count: n})
}

// load posts mails at a rate until the returned function is called, which waits
// until every caller has its answer, and may be called again.
func (s *stage) load(ctx context.Context, rate float64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx, rig.Load{Rate: rate})
	}()
	return func() { cancel(); <-done }
}

func (s *stage) run(ctx context.Context, l rig.Load) {
	s.mu.Lock()
	s.posted++
	run := fmt.Sprintf("r%d", s.posted)
	s.mu.Unlock()
	l.APIs, l.Callers = s.stack.APIs(), callers
	l.Mail = func(i int) rig.Mail { return rig.PlainMail(run, i, "") }
	l.Run(ctx, &s.calls)
}

// latencies are how long the calls took that were answered 2xx: all of them, and
// the worst p99 of any window of the given length with enough of them to have one.
func latencies(calls []check.Call, window time.Duration) (p99, worst time.Duration) {
	var all []time.Duration
	windows := map[int64][]time.Duration{}
	for _, c := range calls {
		if c.Status/100 != 2 {
			continue
		}
		took := c.Ended.Sub(c.Begun)
		all = append(all, took)
		n := c.Begun.UnixNano() / int64(window)
		windows[n] = append(windows[n], took)
	}
	for _, w := range windows {
		if len(w) >= 100 {
			worst = max(worst, quantile(0.99, w))
		}
	}
	return quantile(0.99, all), worst
}

// requireAccepted wants every call to have been answered 202.
func (s *stage) requireAccepted(v *verdict) {
	others := map[int]int{}
	for _, c := range s.calls.Calls() {
		if c.Status != http.StatusAccepted {
			others[c.Status]++
		}
	}
	for status, n := range others {
		v.require(false, "%d calls were answered %d", n, status)
	}
}
