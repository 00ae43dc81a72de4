package conformance

import (
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// requests asks for n at once.
func (b *keyBench) requests(g *message.Grant, n int) message.RateCount {
	b.Helper()
	begun := time.Now()
	counts, err := b.store.CountRequests(b.Context(), []message.CountAsk{{By: g, N: n}})
	b.slowest = max(b.slowest, time.Since(begun))
	b.check(err)
	return counts[0]
}

func limited(rate, quota int) *message.Grant {
	return &message.Grant{TenantID: 1, KeyID: message.NewID(), KeyLimits: message.KeyLimits{Scope: message.ScopeSending, Rate: rate, DailyQuota: quota}}
}

// steady runs what counts requests of a key that makes two a second, and takes
// its numbers for what they are only if each call took far less than a gap of
// that rate: the clock goes on while a call is under way, and stands still again
// with the next, which can be an earlier one by it. So calls that count are half a
// gap from where it matters.
func steady(b *keyBench, want []int, run func(g *message.Grant) []int) {
	b.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		b.slowest = 0
		got := run(limited(2, 0))
		if b.slowest < 200*time.Millisecond {
			same(b, "granted and left in turn", got, want)
			return
		}
	}
	b.Error("the machine is too busy for this case")
}

func rateGrants(b *keyBench) {
	var refused message.RateCount
	steady(b, []int{1, 1, 1, 0, 0, 2, 0}, func(g *message.Grant) []int {
		one := b.requests(g, 1)
		b.clock.Advance(250 * time.Millisecond)
		five := b.requests(g, 5)
		refused = b.requests(g, 1)
		first := b.requests(limited(2, 0), 9) // of more than there is, at the first request already
		return []int{one.Granted, one.Left, five.Granted, five.Left, refused.Granted, first.Granted, first.Left}
	})
	if c := refused; c.Next <= 0 || c.Next > 500*time.Millisecond || c.Full <= c.Next || c.Full > time.Second {
		b.Errorf("next in %v, full in %v", c.Next, c.Full)
	}
}

func rateComesBack(b *keyBench) {
	steady(b, []int{2, 1, 2, 0, 1}, func(g *message.Grant) []int {
		got := []int{b.requests(g, 2).Granted}
		b.clock.Advance(750 * time.Millisecond)
		got = append(got, b.requests(g, 2).Granted) // after one gap
		b.clock.Advance(time.Hour)
		got = append(got, b.requests(g, 3).Granted) // after an hour, no more than all
		b.clock.Advance(-time.Minute)
		got = append(got, b.requests(g, 1).Granted) // after a step back
		b.clock.Advance(2 * time.Minute)
		return append(got, b.requests(g, 1).Granted)
	})
}

func ratesApart(b *keyBench) {
	var asks []message.CountAsk
	for range 40 {
		asks = append(asks, message.CountAsk{By: limited(1+len(asks)%5, 0), N: 3})
	}
	counts, err := b.store.CountRequests(b.Context(), asks)
	b.check(err)
	for i, c := range counts {
		if want := min(3, asks[i].By.Rate); c.Granted != want {
			b.Errorf("key %d of %d a second: %d granted, want %d", i, asks[i].By.Rate, c.Granted, want)
		}
	}
}

// ratesTogether asks from two processes where the database has several.
func ratesTogether(b *keyBench) {
	stores := []KeyPorts{b.store, b.store}
	if b.fixture.Shared {
		stores[1] = b.fixture.Open(b.T, b.clock)
	}
	g, other := limited(20, 0), limited(20, 0)
	begun := time.Now()
	granted := make([]int, 20)
	var callers sync.WaitGroup
	for i := range granted {
		callers.Go(func() {
			asks := []message.CountAsk{{By: g, N: 3}, {By: other, N: 1}}
			if i%2 == 0 {
				asks[0], asks[1] = asks[1], asks[0]
			}
			counts, err := stores[i%2].CountRequests(b.Context(), asks)
			if err != nil {
				b.Error(err)
				return
			}
			granted[i] = counts[(i+1)%2].Granted
		})
	}
	callers.Wait()
	sum := 0
	for _, n := range granted {
		sum += n
	}
	off := 1 + int(time.Since(begun)/(50*time.Millisecond)) // by which a call may have been early or late
	if sum < 20-off || sum > 20+off {
		b.Errorf("%d requests granted in %v, want 20, give or take %d", sum, time.Since(begun), off)
	}
}

func (b *keyBench) recipients(g *message.Grant, n int) message.QuotaCount {
	b.Helper()
	counts, err := b.store.CountRecipients(b.Context(), []message.CountAsk{{By: g, N: n}})
	b.check(err)
	return counts[0]
}

func quotaGrants(b *keyBench) {
	g := limited(0, 10)
	c := b.recipients(g, 4)
	same(b, "first", []int{c.Granted, c.Left}, []int{4, 6})
	same(b, "day", c.Day, b.clock.Now().Unix()/86400)
	if c.Next <= 0 || c.Next > 24*time.Hour {
		b.Errorf("the next day is in %v", c.Next)
	}
	c = b.recipients(g, 9)
	same(b, "of nine", []int{c.Granted, c.Left}, []int{6, 0})
	c = b.recipients(g, 1)
	same(b, "of none", []int{c.Granted, c.Left}, []int{0, 0})
	c = b.recipients(limited(0, 3), 5)
	same(b, "at once already", []int{c.Granted, c.Left}, []int{3, 0})
}

func quotaNextDay(b *keyBench) {
	g := limited(0, 2)
	first := b.recipients(g, 2)
	b.clock.Advance(24 * time.Hour)
	c := b.recipients(g, 1)
	same(b, "granted, left, day", []int64{int64(c.Granted), int64(c.Left), c.Day}, []int64{1, 1, first.Day + 1})
	b.clock.Advance(-24 * time.Hour)
	c = b.recipients(g, 2)
	same(b, "a clock that steps back finds the later day", []int64{int64(c.Granted), c.Day}, []int64{1, first.Day + 1})
}

func quotaGivenBack(b *keyBench) {
	g := limited(0, 10)
	c := b.recipients(g, 10)
	back := message.QuotaReturn{KeyUse: message.KeyUse{TenantID: 1, KeyID: g.KeyID}, Day: c.Day, N: 4}
	b.check(b.store.ReturnRecipients(b.Context(), []message.QuotaReturn{back}))
	same(b, "left after that", b.recipients(g, 1).Left, 3)
	back.Day--
	b.check(b.store.ReturnRecipients(b.Context(), []message.QuotaReturn{back}))
	same(b, "another day's", b.recipients(g, 1).Left, 2)
	back.Day, back.TenantID = c.Day, 2
	b.check(b.store.ReturnRecipients(b.Context(), []message.QuotaReturn{back}))
	same(b, "another tenant's", b.recipients(g, 1).Left, 1)
}

// limitsAfterFarAhead sets the clock back, as after a start of the database with a wrong
// one: a key grants nothing twice, and is not refused until that time comes again.
func limitsAfterFarAhead(b *keyBench) {
	steady(b, []int{2, 0, 1}, func(g *message.Grant) []int {
		got := []int{b.requests(g, 2).Granted}
		b.clock.Advance(-30 * 24 * time.Hour)
		got = append(got, b.requests(g, 1).Granted)
		b.clock.Advance(750 * time.Millisecond)
		return append(got, b.requests(g, 2).Granted)
	})
	g := limited(0, 2)
	today := b.recipients(g, 1).Day
	b.clock.Advance(30 * 24 * time.Hour)
	same(b, "granted far ahead", b.recipients(g, 2).Granted, 2)
	b.clock.Advance(-30 * 24 * time.Hour)
	c := b.recipients(g, 1)
	same(b, "granted, day", []int64{int64(c.Granted), c.Day}, []int64{0, today})
	b.clock.Advance(24 * time.Hour)
	same(b, "granted tomorrow", b.recipients(g, 1).Granted, 1)
}
