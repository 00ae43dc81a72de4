package batch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers each request with itself and notes the batches it saw. It waits
// for a token of gate before it answers.
type echo struct {
	gate chan struct{}
	mu   sync.Mutex
	seen [][]int
}

func (e *echo) do(ctx context.Context, reqs []int) []int {
	e.mu.Lock()
	e.seen = append(e.seen, append([]int(nil), reqs...))
	e.mu.Unlock()
	if e.gate != nil {
		select {
		case <-e.gate:
		case <-ctx.Done():
		}
	}
	return append([]int(nil), reqs...)
}

func (e *echo) batches() [][]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen
}

func start(t *testing.T, limit int, do func(context.Context, []int) []int, options ...batch.Option[int]) *batch.Batcher[int, int] {
	t.Helper()
	b := batch.New(limit, do, options...)
	b.Start()
	t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// gather lets n calls wait behind a first one that is held, then frees all.
func gather(b *batch.Batcher[int, int], e *echo, n int) {
	var calls sync.WaitGroup
	calls.Go(func() { _, _ = b.Do(context.Background(), 0) })
	synctest.Wait()
	for i := 1; i <= n; i++ {
		calls.Go(func() { _, _ = b.Do(context.Background(), i) })
		synctest.Wait()
	}
	close(e.gate)
	calls.Wait()
}

func TestWhatWaitsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{})}
		gather(start(t, 3, e.do), e, 5)
		if got, want := fmt.Sprint(e.batches()), "[[0] [1 2 3] [4 5]]"; got != want {
			t.Errorf("batches %s, want %s", got, want)
		}
	})
}

func TestABatchIsBoundByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{})}
		weight := batch.Weight(4, func(n int) int { return n })
		gather(start(t, 100, e.do, weight), e, 5)
		if got, want := fmt.Sprint(e.batches()), "[[0] [1 2] [3] [4] [5]]"; got != want {
			t.Errorf("batches %s, want %s: in order, at most 4, the 5 alone", got, want)
		}
	})
}

func TestEveryCallGetsItsOwnAnswer(t *testing.T) {
	b := start(t, 16, (&echo{}).do)
	var calls sync.WaitGroup
	for i := range 500 {
		calls.Go(func() {
			if got, err := b.Do(context.Background(), i); err != nil || got != i {
				t.Errorf("Do(%d) = %d, %v", i, got, err)
			}
		})
	}
	calls.Wait()
}

func TestACallThatLeavesIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{})}
		b := start(t, 10, e.do)
		go func() { _, _ = b.Do(context.Background(), 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := b.Do(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
		close(e.gate)
		synctest.Wait()
		if got := fmt.Sprint(e.batches()); got != "[[1]]" {
			t.Errorf("batches %s, want [[1]]", got)
		}
	})
}

func TestAPanicIsTheErrorOfItsBatchAlone(t *testing.T) {
	b := start(t, 1, func(_ context.Context, reqs []int) []int {
		if reqs[0] == 13 {
			panic("unlucky")
		}
		return reqs
	})
	var p *batch.PanicError
	if _, err := b.Do(context.Background(), 13); !errors.As(err, &p) || p.Value != "unlucky" || len(p.Stack) == 0 {
		t.Errorf("error %v, want a PanicError with its stack", err)
	}
	if got, err := b.Do(context.Background(), 7); err != nil || got != 7 {
		t.Errorf("afterwards: %d, %v", got, err)
	}
}

func TestMissingAnswersAreAnError(t *testing.T) {
	b := start(t, 1, func(context.Context, []int) []int { return nil })
	var p *batch.PanicError
	if _, err := b.Do(context.Background(), 1); !errors.As(err, &p) {
		t.Errorf("error %v, want a PanicError", err)
	}
}

func TestStopRunsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{}, 2)}
		b := batch.New(10, e.do)
		b.Start()
		answered := make(chan error, 2)
		for i := range 2 {
			go func() { _, err := b.Do(context.Background(), i); answered <- err }()
			synctest.Wait()
		}
		stopped := make(chan error, 1)
		go func() { stopped <- b.Stop(context.Background()) }()
		synctest.Wait()
		if _, err := b.Do(context.Background(), 9); !errors.Is(err, batch.ErrStopped) {
			t.Errorf("Do while stopping: %v, want ErrStopped", err)
		}
		e.gate <- struct{}{}
		e.gate <- struct{}{}
		if err := errors.Join(<-answered, <-answered, <-stopped); err != nil {
			t.Error(err)
		}
	})
}

func TestStopIsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{})}
		b := batch.New(1, e.do)
		b.Start()
		go func() { _, _ = b.Do(context.Background(), 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v, want the deadline's error", err)
		}
		if err := b.Stop(context.Background()); err != nil { // its batch saw the context end
			t.Error(err)
		}
	})
}

func TestStopBeforeStartAnswersWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(1, (&echo{}).do)
		answered := make(chan error, 1)
		go func() { _, err := b.Do(context.Background(), 1); answered <- err }()
		synctest.Wait()
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		b.Start()
		if err := <-answered; !errors.Is(err, batch.ErrStopped) {
			t.Errorf("error %v, want ErrStopped", err)
		}
	})
}

func TestStartAndStopUnderStress(t *testing.T) {
	for range 50 {
		var ran atomic.Int64
		b := batch.New(8, func(_ context.Context, reqs []int) []int { ran.Add(int64(len(reqs))); return reqs })
		var calls sync.WaitGroup
		var answered atomic.Int64
		for i := range 8 {
			calls.Go(func() {
				for {
					if _, err := b.Do(context.Background(), i); err != nil {
						return
					}
					answered.Add(1)
				}
			})
		}
		calls.Go(b.Start)
		calls.Go(func() {
			if err := b.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		calls.Wait()
		if ran.Load() != answered.Load() {
			t.Fatalf("%d ran, %d were answered", ran.Load(), answered.Load())
		}
	}
}

func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkDo(b, callers) })
	}
}

// benchmarkDo reports the cost of one call and how many shared a batch, where
// the batched function itself costs nothing.
func benchmarkDo(b *testing.B, callers int) {
	var batches atomic.Int64
	batcher := batch.New(128, func(_ context.Context, reqs []int) []int { batches.Add(1); return reqs })
	batcher.Start()
	defer func() { _ = batcher.Stop(context.Background()) }()
	var next atomic.Int64
	var calls sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		calls.Go(func() {
			for next.Add(1) <= int64(b.N) {
				_, _ = batcher.Do(context.Background(), 1)
			}
		})
	}
	calls.Wait()
	b.ReportMetric(float64(b.N)/float64(max(batches.Load(), 1)), "calls/batch")
}
