package loop_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoopsRunUntilTheyAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := loop.NewGroup()
		var running atomic.Int32
		wait := func(ctx context.Context) {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
		}
		g.Start(wait, wait)
		g.Start(wait) // only the first time
		synctest.Wait()
		if n := running.Load(); n != 2 {
			t.Errorf("%d loops run", n)
		}
		for range 2 {
			if err := g.Stop(t.Context()); err != nil || running.Load() != 0 {
				t.Errorf("%d loops run after Stop: %v", running.Load(), err)
			}
		}
	})
}

func TestNothingStartsAfterAStop(t *testing.T) {
	g := loop.NewGroup()
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	g.Start(func(context.Context) { t.Error("a loop runs") })
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStopHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := loop.NewGroup()
		release := make(chan struct{})
		g.Start(func(context.Context) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		close(release)
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("once it has ended: %v", err)
		}
	})
}

// Starts and stops at the same moment: whatever comes first, nothing runs in the end.
func TestStartsAndStopsAtOnce(t *testing.T) {
	for range 200 {
		g := loop.NewGroup()
		var running atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				g.Start(func(ctx context.Context) { running.Add(1); <-ctx.Done(); running.Add(-1) })
			})
			all.Go(func() {
				if err := g.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := g.Stop(t.Context()); err != nil || running.Load() != 0 {
			t.Fatalf("%d loops run: %v", running.Load(), err)
		}
	}
}
