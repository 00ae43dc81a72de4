package batch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/batch"
)

// begun is when each batch began.
type begun struct {
	echo
	from time.Time
	at   []time.Duration
}

func (b *begun) do(ctx context.Context, reqs []int) []int {
	b.mu.Lock()
	b.at = append(b.at, time.Since(b.from))
	b.mu.Unlock()
	return b.echo.do(ctx, reqs)
}

func TestInCompanyABatchLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &begun{from: time.Now(), echo: echo{gate: make(chan struct{})}}
		b := start(t, 4, e.do, batch.Linger[int](5*time.Millisecond))
		var calls sync.WaitGroup
		call := func(n int) {
			calls.Go(func() { _, _ = b.Do(context.Background(), n) })
			synctest.Wait()
		}
		call(0)
		call(1)
		call(2)
		close(e.gate) // [0], and at once [1 2], as the batch before was of one
		synctest.Wait()
		call(3)
		<-time.After(time.Millisecond)
		call(4) // [3 4] at 5 ms
		<-time.After(5 * time.Millisecond)
		for n := range 4 {
			call(5 + n) // full: does not wait for 10 ms
		}
		<-time.After(20 * time.Millisecond)
		call(9)  // after a pause: at once
		call(10) // after a batch of one: at once
		calls.Wait()
		if got, want := fmt.Sprint(e.batches(), e.at), "[[0] [1 2] [3 4] [5 6 7 8] [9] [10]] [0s 0s 5ms 6ms 26ms 26ms]"; got != want {
			t.Errorf("batches %s\n   want %s", got, want)
		}
	})
}

func TestStopDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{gate: make(chan struct{})}
		b := start(t, 4, e.do, batch.Linger[int](time.Hour))
		gather(b, e, 2)
		var late sync.WaitGroup
		late.Go(func() { _, _ = b.Do(context.Background(), 3) })
		synctest.Wait()
		began := time.Now()
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		late.Wait()
		if took := time.Since(began); took != 0 || fmt.Sprint(e.batches()) != "[[0] [1 2] [3]]" {
			t.Errorf("stopped after %v with batches %v", took, e.batches())
		}
	})
}
