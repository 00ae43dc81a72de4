package main

import (
	"testing"
	"time"

	"github.com/postrider/postrider/test/check"
)

// One bad moment is seen, however good the rest was, but for windows too short to
// have a p99.
func TestTheWorstWindowIsFound(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	var calls []check.Call
	add := func(window, n, status int, took time.Duration) {
		for range n {
			begun := start.Add(time.Duration(window) * 10 * time.Second)
			calls = append(calls, check.Call{Begun: begun, Ended: begun.Add(took), Status: status})
		}
	}
	add(0, 5000, 202, time.Millisecond)
	add(1, 190, 202, time.Millisecond)
	add(1, 10, 202, 3*time.Second)
	add(2, 99, 202, time.Minute)
	add(3, 500, 503, time.Hour)
	p99, worst := latencies(calls, 10*time.Second)
	if p99 != time.Minute || worst != 3*time.Second {
		t.Errorf("p99 %v, worst window %v", p99, worst)
	}
}

func TestARefusalIsLateByTheTimeSinceTheFault(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	s := &stage{bench: &bench{started: start}}
	s.faults = []check.Fault{
		{Begun: start.Add(10 * time.Second), Ended: start.Add(12 * time.Second)},
		{Begun: start.Add(30 * time.Second), Ended: start.Add(31 * time.Second)},
	}
	for at, want := range map[time.Duration]time.Duration{
		5 * time.Second:  5 * time.Second, // before any fault there is no excuse
		11 * time.Second: 0,
		15 * time.Second: 3 * time.Second,
		29 * time.Second: 17 * time.Second,
		30 * time.Second: 0,
		32 * time.Second: time.Second,
	} {
		if got := s.sinceFault(start.Add(at)); got != want {
			t.Errorf("after %v: %v, want %v", at, got, want)
		}
	}
}
