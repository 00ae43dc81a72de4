package message

import (
	"testing"
	"time"
)

func TestScheduleWaitsAsDocumented(t *testing.T) {
	s := Schedule{Window: 72 * time.Hour}
	want := []time.Duration{
		10 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 4 * time.Hour,
	}
	for i, w := range want {
		if got, ok := s.Next(i+1, 0, 0.5); !ok || got != w {
			t.Errorf("after try %d: %v %v, want %v", i+1, got, ok, w)
		}
	}
}

func TestScheduleEndsWithItsWindow(t *testing.T) {
	s := Schedule{Window: 40 * time.Second}
	if _, ok := s.Next(2, 0, 0); !ok {
		t.Error("10 s + 30 s fit into 40 s")
	}
	if _, ok := s.Next(3, 0, 0); ok {
		t.Error("a third wait does not fit into 40 s")
	}
}

func TestScheduleHonoursHintsWithinReason(t *testing.T) {
	s := Schedule{Window: 72 * time.Hour}
	for hint, want := range map[time.Duration]time.Duration{
		time.Second: 10 * time.Second, time.Minute: time.Minute, 1000 * time.Hour: 4 * time.Hour,
	} {
		if got, _ := s.Next(1, hint, 0.5); got != want {
			t.Errorf("hint %v: wait %v, want %v", hint, got, want)
		}
	}
}

func TestJitterStaysWithinAFifth(t *testing.T) {
	for _, random := range []float64{0, 0.25, 0.5, 0.999999} {
		if got := Jitter(time.Minute, random); got < 48*time.Second || got > 72*time.Second {
			t.Errorf("random %v: %v", random, got)
		}
	}
}
