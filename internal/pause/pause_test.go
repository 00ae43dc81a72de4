package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestForEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(why) })
		start := time.Now()
		if err := For(ctx, time.Hour); !errors.Is(err, why) {
			t.Errorf("ended by %v, want the cause", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v past a context of 1 s", waited)
		}
		if err := For(context.Background(), time.Minute); err != nil || time.Since(start) != 61*time.Second {
			t.Errorf("a full pause: %v after %v", err, time.Since(start))
		}
	})
}

func TestBackoffDoublesToItsMostAndResets(t *testing.T) {
	b := Backoff{First: time.Second, Most: 5 * time.Second}
	near := func(got, want time.Duration) bool { return got >= want*8/10 && got <= want*12/10 }
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Step(); !near(got, want*time.Second) {
			t.Errorf("step %d: %v, want about %v", i, got, want*time.Second)
		}
	}
	b.Reset()
	if got := b.Step(); !near(got, time.Second) {
		t.Errorf("after a reset: %v", got)
	}
}

func TestJitterFromAGivenSource(t *testing.T) {
	for draw, want := range map[float64]time.Duration{0: 8 * time.Second, 0.5: 10 * time.Second, 0.75: 11 * time.Second} {
		source := Random(func() float64 { return draw })
		if got := source.Jitter(10 * time.Second); got != want {
			t.Errorf("jitter of 10 s at %v: %v, want %v", draw, got, want)
		}
		b := Backoff{First: 10 * time.Second, Most: time.Minute, Random: source}
		if got := b.Step(); got != want {
			t.Errorf("first step at %v: %v, want %v", draw, got, want)
		}
	}
}
