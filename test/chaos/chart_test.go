package main

import (
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/test/check"
)

// The chart is of what happened: rates from samples of any length, a bar for as long as
// a fault lasted, nothing outside the drawing.
func TestTheChartShowsRatesAndFaults(t *testing.T) {
	begun := time.Now()
	r := &result{
		begun: begun, hurting: begun.Add(10 * time.Second),
		samples: []sample{
			{At: time.Second, Accepted: 10, Sent: 5, Open: 5},
			{At: 3 * time.Second, Accepted: 50, Sent: 5, Open: -1}, // held up by a database that was away
			{At: 10 * time.Second, Accepted: 50, Sent: 50, Open: 0},
		},
		evidence: check.Evidence{Faults: []check.Fault{
			{Kind: "consumer-kill", Victim: "consumer-1", Begun: begun.Add(2 * time.Second)},
			{Kind: "postgres-pause", Victim: "postgres", Begun: begun.Add(5 * time.Second), Ended: begun.Add(10 * time.Second)},
		}},
	}
	c := r.chart()
	if c.Most != 20 {
		t.Errorf("the most in a second is %d, want 40 in 2 s", c.Most)
	}
	if n := len(strings.Fields(c.Open)); n != 2+2 {
		t.Errorf("%d points of what is open, want the two known and the two corners", n)
	}
	if len(c.Lanes) != 2 || c.Lanes[0].Name != "consumer-1" || len(c.Lanes[1].Bars) != 1 {
		t.Fatalf("lanes %+v", c.Lanes)
	}
	if b := c.Lanes[1].Bars[0]; b.Class != "pause" || b.Width != chartWidth/2 || b.X+b.Width > c.Right {
		t.Errorf("the pause is %+v", b)
	}
}
