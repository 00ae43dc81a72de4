package intake_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/message"
)

var errNotNow = errors.New("not now")

func mails(n int) []message.TakenIn {
	return slices.Repeat([]message.TakenIn{mail(message.LaneLow)}, n)
}

// However many wait in vain, those behind them do not.
func TestARoundGoesOnPastThoseThatStay(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		const stay, all = 1000, 1500
		d.asked(func(_ context.Context, number uint64) error {
			if number <= stay {
				return errNotNow
			}
			return nil
		})
		begun := time.Now()
		d.put(true, mails(all)...)
		synctest.Wait()
		if n, _ := d.left(); n != stay || time.Since(begun) != 0 {
			t.Errorf("%d left after %v", n, time.Since(begun))
		}
		d.asked(func(context.Context, uint64) error { return nil })
		time.Sleep(12 * time.Second) // a pause
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Errorf("%d are forgotten", n)
		}
	})
}

// One that waits for as long as it may is enough to know that others would too.
func TestThoseThatWaitInVainDoSoOnceInARound(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		const stay = 1000
		d.asked(func(ctx context.Context, number uint64) error {
			if number <= stay {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		d.put(true, mails(stay+1)...)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != stay {
			t.Errorf("%d left", n)
		}
	})
}

// More than a round goes past hold up nobody either: the next one goes on behind them,
// and asks for the oldest again.
func TestARoundGoesOnWhereTheLastEnded(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		const stay = 20_000
		oldest := 0
		d.asked(func(_ context.Context, number uint64) error {
			if number == 1 {
				oldest++
			}
			if number <= stay {
				return errNotNow
			}
			return nil
		})
		d.put(true, mails(stay+1)...)
		time.Sleep(time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != stay || oldest < 3 {
			t.Errorf("%d left, the oldest was asked for %d times", n, oldest)
		}
		d.asked(func(context.Context, uint64) error { return nil })
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Errorf("%d are forgotten", n)
		}
	})
}

// Those that stay are asked for again though there always is more behind them.
func TestARoundEndsUnderALoadThatDoesNot(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		asked := 0
		d.asked(func(_ context.Context, number uint64) error {
			if number == 1 {
				asked++
				return errNotNow
			}
			return nil
		})
		d.mu.Lock()
		d.more = true
		d.mu.Unlock()
		d.put(true, mails(1)...)
		time.Sleep(time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 1 || asked < 5 {
			t.Errorf("%d left after the first was asked for %d times in a second", n, asked)
		}
	})
}

// A pause is for those that stay: what is rung for meanwhile is taken in at once, beside
// others that are not ready either.
func TestWhatIsRungForInAPauseDoesNotWaitForItsEnd(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		asked := map[uint64]int{}
		d.asked(func(ctx context.Context, number uint64) error {
			asked[number]++
			if number == 1 || number%3 == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		d.put(true, mails(1)...)
		time.Sleep(43 * time.Second) // the seventh pause began at 41.3 s and is one of 6.4
		synctest.Wait()
		before := asked[1]
		for range 4 {
			d.put(true, mails(3)...)
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		if n, _ := d.left(); n != 5 || asked[1] != before {
			t.Errorf("%d left, the first was asked for %d times more", n, asked[1]-before)
		}
		d.asked(func(context.Context, uint64) error { return nil })
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Errorf("%d are forgotten", n)
		}
	})
}
