package accept

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestATurnGoesToWhoHasTheFewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(3, 2)
		got := make(chan int64, 10)
		wait := func(tenant int64) {
			go func() {
				if err := turns.take(t.Context(), tenant); err != nil {
					t.Error(err)
				}
				got <- tenant
			}()
			synctest.Wait()
		}
		for _, tenant := range []int64{1, 1, 1, 2, 2, 3} { // 1, 1 and 2 have a turn; 1, 2 and 3 wait
			wait(tenant)
		}
		for _, step := range []struct{ leaves, comes int64 }{{1, 3}, {3, 1}, {1, 2}} {
			for len(got) > 0 {
				<-got
			}
			turns.leave(step.leaves)
			synctest.Wait()
			if len(got) != 1 {
				t.Fatalf("%d have a turn after %d left", len(got), step.leaves)
			}
			if tenant := <-got; tenant != step.comes {
				t.Errorf("%d came after %d, want %d", tenant, step.leaves, step.comes)
			}
		}
	})
}

func TestWhoGivesUpKeepsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2, 1)
		if err := turns.take(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turns.take(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the tenant's second: %v", err)
		}
		turns.leave(1)
		if turns.taken != 0 || len(turns.of) != 0 || len(turns.waiting) != 0 {
			t.Errorf("left: %+v", turns)
		}
	})
}

// Those who come, work and give up at the same moment never are more than may, and in
// the end all turns are there.
func TestTurnsUnderACrowd(t *testing.T) {
	turns := newTurns(5, 2)
	var mu sync.Mutex
	working, of := 0, map[int64]int{}
	count := func(tenant int64, n int) {
		mu.Lock()
		defer mu.Unlock()
		working, of[tenant] = working+n, of[tenant]+n
		if working > 5 || of[tenant] > 2 {
			t.Errorf("%d work, %d of one tenant", working, of[tenant])
		}
	}
	var all sync.WaitGroup
	for i := range 2000 {
		tenant := int64(i % 7)
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			if turns.take(ctx, tenant) != nil {
				return
			}
			count(tenant, 1)
			count(tenant, -1)
			turns.leave(tenant)
		})
	}
	all.Wait()
	if turns.taken != 0 || len(turns.of) != 0 || len(turns.waiting) != 0 {
		t.Errorf("left: %+v", turns)
	}
}
