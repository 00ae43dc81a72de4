package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func recorder(a *App, log *[]string, names ...string) {
	for _, name := range names {
		a.add(part{
			name:  name,
			start: func(context.Context) error { *log = append(*log, "+"+name); return nil },
			stop:  func(context.Context) error { *log = append(*log, "-"+name); return nil },
		})
	}
}

func TestPartsStopInReverseAndOnce(t *testing.T) {
	var log []string
	a := newApp(slog.New(slog.DiscardHandler))
	recorder(a, &log, "one", "two", "three")
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"+one", "+two", "+three", "-three", "-two", "-one"}; !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
}

func TestAFailedStartStopsWhatRan(t *testing.T) {
	var log []string
	a := newApp(slog.New(slog.DiscardHandler))
	a.opened("store", func() error { log = append(log, "-store"); return nil })
	recorder(a, &log, "one")
	broken := errors.New("port taken")
	a.add(part{name: "http", start: func(context.Context) error { return broken }})
	recorder(a, &log, "never")
	if err := a.Start(t.Context()); !errors.Is(err, broken) {
		t.Errorf("start: %v", err)
	}
	if want := []string{"+one", "-one", "-store"}; !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
}

func TestStopBeforeStartClosesWhatWasOpened(t *testing.T) {
	closed := 0
	a := newApp(slog.New(slog.DiscardHandler))
	a.opened("store", func() error { closed++; return nil })
	_ = a.Stop(t.Context())
	_ = a.Stop(t.Context())
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

func TestEveryPartGetsTimeToStop(t *testing.T) {
	a := newApp(slog.New(slog.DiscardHandler))
	var left time.Duration
	a.add(part{name: "below", stop: func(ctx context.Context) error {
		end, _ := ctx.Deadline()
		left = time.Until(end)
		return ctx.Err()
	}})
	a.add(part{name: "slow", stop: func(ctx context.Context) error { <-ctx.Done(); return nil }})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if left < time.Second {
		t.Errorf("the part below a slow one got %v", left)
	}
}

func TestNothingNewIsTakenWhileOthersStop(t *testing.T) {
	var log []string
	a := newApp(slog.New(slog.DiscardHandler))
	a.add(part{
		name:  "workers",
		drain: func() { log = append(log, "~workers") },
		stop:  func(context.Context) error { log = append(log, "-workers"); return nil },
	})
	recorder(a, &log, "http")
	a.add(part{name: "never", start: func(context.Context) error { return errors.New("no") }, drain: func() { t.Error("drained what never ran") }})
	_ = a.Start(t.Context())
	if want := []string{"+http", "~workers", "-http", "-workers"}; !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
}

func TestAStartThatIsBrokenOffLeavesTimeToStop(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	a := newApp(slog.New(slog.DiscardHandler))
	a.add(part{name: "below", stop: func(ctx context.Context) error { return ctx.Err() }})
	a.add(part{name: "above", start: func(ctx context.Context) error { cancel(); return ctx.Err() }})
	if err := a.Start(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "stop below") {
		t.Errorf("start: %v", err)
	}
}
