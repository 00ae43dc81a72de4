package main

import (
	"math"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var values []time.Duration
	for n := 100; n > 0; n-- {
		values = append(values, time.Duration(n))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := quantile(q, values); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if quantile(0.5, nil) != 0 {
		t.Error("of none")
	}
}

func TestSlopeIsTheGrowthOfAMinute(t *testing.T) {
	start := time.Now()
	var growing, flat []point
	for n := range 100 {
		at := start.Add(time.Duration(n) * 6 * time.Second)
		growing = append(growing, point{at, 7 + float64(n)/2})
		flat = append(flat, point{at, 7 + float64(n%2)})
	}
	if got := slope(growing); math.Abs(got-5) > 1e-9 {
		t.Errorf("%v, want 5", got)
	}
	if got := slope(flat); math.Abs(got) > 0.01 {
		t.Errorf("flat, and %v", got)
	}
	if slope(nil) != 0 || slope(flat[:1]) != 0 {
		t.Error("of too few")
	}
	if least, most := extremes(growing); least != 7 || most != 56.5 {
		t.Errorf("from %v to %v", least, most)
	}
}

// Waves leave the floor as it is, what stays raises it.
func TestTheFloorRisesOnlyByWhatStays(t *testing.T) {
	start := time.Now()
	var waves, leak []point
	for n := range 240 {
		at := start.Add(time.Duration(n) * time.Second)
		wave := float64(n % 13 * n) // ever higher
		waves = append(waves, point{at, 20 + wave})
		leak = append(leak, point{at, 20 + wave + float64(n)})
	}
	if floors := floor(waves, 20*time.Second); len(floors) != 12 || slope(floors) != 0 {
		t.Errorf("waves: %v", floors)
	}
	if got := slope(floor(leak, 20*time.Second)); got < 55 || got > 65 {
		t.Errorf("a leak of 60 a minute shows as %v", got)
	}
}
