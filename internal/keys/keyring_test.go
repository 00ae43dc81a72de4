package keys_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is a finder and a counter in memory that counts what it is asked.
type database struct {
	mu      sync.Mutex
	found   map[[32]byte]message.FoundKey
	away    error
	finds   int           // statements
	most    int           // digests in one
	used    []int         // keys in each write
	rates   []int         // requests in each statement
	grant   int           // what a statement of rates grants at most
	next    time.Duration // one request each; 0: as many as they like
	free    time.Time     // of the next one
	left    int           // of every quota
	quotas  int           // statements
	running int           // statements at this moment
	beside  int           // the most of those
	given   int           // back
}

func newDatabase() *database {
	return &database{found: map[[32]byte]message.FoundKey{}, grant: 1 << 30}
}

func (d *database) enter() func() {
	d.mu.Lock()
	d.running++
	d.beside = max(d.beside, d.running)
	d.mu.Unlock()
	time.Sleep(time.Millisecond) // virtual: what a statement takes
	d.mu.Lock()
	return func() { d.running--; d.mu.Unlock() }
}

func (d *database) FindKeys(_ context.Context, hashes [][32]byte) ([]message.FoundKey, error) {
	defer d.enter()()
	d.finds++
	d.most = max(d.most, len(hashes))
	answers := make([]message.FoundKey, len(hashes))
	for i, h := range hashes {
		answers[i] = d.found[h]
	}
	return answers, d.away
}

func (d *database) UseKeys(_ context.Context, used []message.KeyUse) error {
	defer d.enter()()
	d.used = append(d.used, len(used))
	return d.away
}

func (d *database) CountRequests(_ context.Context, asks []message.CountAsk) ([]message.RateCount, error) {
	defer d.enter()()
	counts := make([]message.RateCount, len(asks))
	for i, a := range asks {
		d.rates = append(d.rates, a.N)
		counts[i] = message.RateCount{Granted: min(a.N, d.grant), Left: 3, Full: time.Second}
		if d.next > 0 {
			counts[i] = d.oneEach(d.next)
		}
	}
	return counts, d.away
}

// oneEach grants one request each time that the gap is over.
func (d *database) oneEach(gap time.Duration) message.RateCount {
	now, c := time.Now(), message.RateCount{Full: gap}
	if !now.Before(d.free) {
		c.Granted, d.free = min(1, d.grant), now.Add(gap)
	}
	c.Next = d.free.Sub(now)
	return c
}

func (d *database) CountRecipients(_ context.Context, asks []message.CountAsk) ([]message.QuotaCount, error) {
	defer d.enter()()
	d.quotas++
	counts := make([]message.QuotaCount, len(asks))
	for i, a := range asks {
		counts[i].Granted = min(a.N, d.left)
		d.left -= counts[i].Granted
		counts[i].Left, counts[i].Day, counts[i].Next = d.left, 7, time.Hour
	}
	return counts, d.away
}

func (d *database) ReturnRecipients(_ context.Context, returns []message.QuotaReturn) error {
	defer d.enter()()
	for _, r := range returns {
		d.given += r.N
		d.left += r.N
	}
	return d.away
}

func (d *database) set(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

// add makes a valid key of tenant 7.
func (d *database) add(n int, change ...func(*message.FoundKey)) (token string) {
	token = invented(n)
	f := message.FoundKey{State: message.KeyValid, Grant: &message.Grant{TenantID: 7, KeyID: message.NewID(), KeyLimits: message.KeyLimits{Scope: message.ScopeFull}}}
	for _, c := range change {
		c(&f)
	}
	d.set(func() { d.found[sha256.Sum256([]byte(token))] = f })
	return token
}

// invented is a key that looks like one, as anybody can make who has read how.
func invented(n int) string {
	body := fmt.Sprintf("pr_%043d", n)
	sum := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))).Text(62)
	return body + strings.Repeat("0", 6-len(sum)) + sum
}

func rated(f *message.FoundKey) { f.Grant.Rate = 10 }

// in runs a story in virtual time with a keyring over the database.
func in(t *testing.T, story func(t *testing.T, k *keys.Keyring, d *database)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		k := keys.New(keys.Config{Finder: d, Counter: d})
		k.Start(map[string]int64{"a-key-of-the-settings": 3})
		story(t, k, d)
		if err := k.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func codeOf(err error) message.Code {
	var refused *message.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestAKeyIsAskedForOnceInAWhile(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1)
		for range 1000 {
			entry, err := k.Enter(t.Context(), token, message.RightSend)
			if err != nil || entry.Grant.TenantID != 7 {
				t.Fatal(entry, err)
			}
		}
		if d.finds != 1 {
			t.Errorf("%d questions for 1000 requests, want 1", d.finds)
		}
	})
}

func TestARevocationHoldsWithinFiveSeconds(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1)
		begun := time.Now()
		if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
			t.Fatal(err)
		}
		d.add(1, func(f *message.FoundKey) { *f = message.FoundKey{State: message.KeyRevoked} })
		for {
			if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
				if codeOf(err) != message.CodeInvalidAPIKey || !strings.Contains(err.Error(), "revoked") {
					t.Error(err)
				}
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it held after %v", took)
		}
	})
}

func TestAKeyIsBelievedNoLongerThanItLasts(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1, func(f *message.FoundKey) { f.Left = time.Second })
		if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
			t.Fatal(err)
		}
		d.add(1, func(f *message.FoundKey) { *f = message.FoundKey{State: message.KeyExpired} })
		time.Sleep(time.Second)
		if _, err := k.Enter(t.Context(), token, message.RightSend); codeOf(err) != message.CodeInvalidAPIKey {
			t.Error(err)
		}
	})
}

func TestKeysOfTheSettingsNeedNoDatabase(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		d.set(func() { d.away = message.ErrUnavailable })
		for _, right := range []message.Right{message.RightSend, message.RightRead, message.RightChange, message.RightAdminister} {
			if entry, err := k.Enter(t.Context(), "a-key-of-the-settings", right); err != nil || entry.Grant.TenantID != 3 {
				t.Errorf("%s: %v %v", right, entry, err)
			}
		}
		if _, err := k.Enter(t.Context(), "a-key-of-the-settings", message.RightOperate); codeOf(err) != message.CodeRestrictedAPIKey {
			t.Errorf("an admin key of a tenant that is not the default: %v", err)
		}
		if d.finds != 0 {
			t.Errorf("%d questions", d.finds)
		}
	})
}

func TestWithoutTheDatabaseNothingFailsOpen(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		known, unknown, counted := d.add(1), d.add(2), d.add(3, rated)
		for _, token := range []string{known, counted} {
			if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
				t.Fatal(err)
			}
		}
		d.set(func() { d.away = errors.New("gone") })
		if _, err := k.Enter(t.Context(), known, message.RightSend); err != nil {
			t.Errorf("a known key: %v", err)
		}
		for name, token := range map[string]string{"a key not seen before": unknown, "a key whose rate cannot be counted": counted} {
			if _, err := k.Enter(t.Context(), token, message.RightSend); !errors.Is(err, message.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(5 * time.Second)
		if _, err := k.Enter(t.Context(), known, message.RightSend); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("a key known too long ago: %v", err)
		}
		d.set(func() { d.away = nil })
		if _, err := k.Enter(t.Context(), unknown, message.RightSend); err != nil {
			t.Errorf("once it is back: %v", err)
		}
	})
}

// Keys that are made up cost the database nothing, or, where their checksum is
// right, one small statement at a time; and they push out no key that is valid.
func TestAFloodOfInventedKeysIsNoneOfStatements(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		valid := d.add(0)
		if _, err := k.Enter(t.Context(), valid, message.RightSend); err != nil {
			t.Fatal(err)
		}
		for n := range 1000 {
			if _, err := k.Enter(t.Context(), fmt.Sprintf("pr_%049d", n), message.RightSend); codeOf(err) != message.CodeInvalidAPIKey {
				t.Fatal(err)
			}
		}
		if d.finds != 1 {
			t.Errorf("%d questions for keys without a checksum", d.finds-1)
		}
		begun := time.Now()
		var flood sync.WaitGroup
		for n := range 20_000 {
			flood.Go(func() {
				if _, err := k.Enter(t.Context(), invented(n+1), message.RightSend); codeOf(err) != message.CodeInvalidAPIKey {
					t.Error(err)
				}
			})
		}
		flood.Wait()
		if d.beside != 1 || d.most > 128 || d.finds > 2+20_000/128+1 {
			t.Errorf("%d statements of up to %d keys, %d at a time", d.finds, d.most, d.beside)
		}
		asked := d.finds
		if _, err := k.Enter(t.Context(), valid, message.RightSend); err != nil || d.finds != asked && time.Since(begun) < 3*time.Second {
			t.Errorf("the valid key: %v, %d more questions", err, d.finds-asked)
		}
	})
}

func TestWhoAsksForTheSameKeyAtOnceAsksOnce(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1)
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() {
				if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if d.most != 1 || d.finds > 8 {
			t.Errorf("%d statements of up to %d digests", d.finds, d.most)
		}
	})
}

func TestUsesAreWrittenOnceAMinuteAndAtTheEnd(t *testing.T) {
	d := newDatabase()
	synctest.Test(t, func(t *testing.T) {
		k := keys.New(keys.Config{Finder: d, Counter: d})
		k.Start(nil)
		one, two := d.add(1), d.add(2)
		enter := func(token string) {
			t.Helper()
			if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
				t.Fatal(err)
			}
		}
		for range 55 { // a request a second
			enter(one)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		d.set(func() {
			if len(d.used) != 1 {
				t.Errorf("%d writes within a minute, want 1", len(d.used))
			}
		})
		time.Sleep(time.Minute)
		enter(one)
		enter(two)
		if err := k.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if len(d.used) != 2 || d.used[1] != 2 {
		t.Errorf("writes of %v keys, want 1 and, at the end, 2", d.used)
	}
}

func TestAUseThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1)
		if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.away = message.ErrUnavailable })
		time.Sleep(11 * time.Second)
		d.set(func() { d.away = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		d.set(func() {
			if len(d.used) != 2 {
				t.Errorf("%d writes, want one that failed and one more", len(d.used))
			}
		})
	})
}

func TestStopMayComeFirstAndTwice(t *testing.T) {
	d := newDatabase()
	k := keys.New(keys.Config{Finder: d, Counter: d})
	for range 2 {
		if err := k.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := k.Enter(t.Context(), invented(1), message.RightSend); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// Ten thousand requests of one key within a second, of which ten are granted,
// cost the database a handful of statements.
func TestAFloodOfOneKeyIsNoneOfStatements(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1, rated)
		d.set(func() { d.next = 100 * time.Millisecond })
		begun, granted := time.Now(), 0
		var flood sync.WaitGroup
		var mu sync.Mutex
		for range 100 {
			flood.Go(func() {
				for range 100 {
					entry, err := k.Enter(t.Context(), token, message.RightSend)
					mu.Lock()
					switch {
					case err == nil:
						granted++
					case codeOf(err) != message.CodeRateLimit || entry.Window.Limit != 10 || entry.Grant == nil:
						t.Errorf("%+v %v", entry, err)
					}
					mu.Unlock()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		flood.Wait()
		took := time.Since(begun)
		if most := int(took/(100*time.Millisecond)) + 2; granted == 0 || granted > most || len(d.rates) > 2*most {
			t.Errorf("%d granted by %d statements within %v", granted, len(d.rates), took)
		}
	})
}

func TestARefusedRequestIsToldWhenToComeAgain(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		token := d.add(1, rated)
		d.set(func() { d.grant, d.next = 0, 70*time.Millisecond })
		for range 2 { // by the database, and from memory
			entry, err := k.Enter(t.Context(), token, message.RightSend)
			var refused *message.Error
			if !errors.As(err, &refused) || refused.RetryAfter <= 0 || refused.RetryAfter > 70*time.Millisecond || entry.Window.Limit != 10 {
				t.Errorf("%+v %v", entry, err)
			}
		}
		if len(d.rates) != 1 {
			t.Errorf("asked %d times", len(d.rates))
		}
		d.set(func() { d.grant = 1 })
		time.Sleep(71 * time.Millisecond)
		if _, err := k.Enter(t.Context(), token, message.RightSend); err != nil {
			t.Errorf("in time: %v", err)
		}
	})
}

// mailTo is a message to that many recipients.
func mailTo(n int, from string) *message.Message {
	m := &message.Message{Head: message.Head{From: message.Address{Email: from}}}
	for i := range n {
		m.Head.To = append(m.Head.To, message.Address{Email: fmt.Sprintf("r%d@example.com", i)})
	}
	return m
}

func TestAQuotaGoesToWholeMessagesInTheirOrder(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		d.set(func() { d.left = 10 })
		by := &message.Grant{TenantID: 7, KeyID: uuid.New(), KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 10, Domains: []string{"shop.example"}}}
		admissions := k.Admit(t.Context(), by, []*message.Message{
			mailTo(4, "a@shop.example"), mailTo(1, "a@other.example"), mailTo(7, "a@shop.example"), mailTo(3, "a@shop.example"),
		})
		var got []string
		for _, a := range admissions {
			got = append(got, fmt.Sprint(a.Recipients, codeOf(a.Err)))
		}
		want := "4|0domain_not_allowed|0daily_quota_exceeded|3"
		if strings.Join(got, "|") != want {
			t.Errorf("%s, want %s", strings.Join(got, "|"), want)
		}
		if d.left != 3 || d.quotas != 1 {
			t.Errorf("%d left by %d statements, want 3 by 1", d.left, d.quotas)
		}
		k.GiveBack(t.Context(), by, admissions)
		if d.left != 10 {
			t.Errorf("%d left when all was given back, want 10", d.left)
		}
		d.set(func() { d.away = errors.New("gone") })
		if a := k.Admit(t.Context(), by, []*message.Message{mailTo(1, "a@shop.example")})[0]; !errors.Is(a.Err, message.ErrUnavailable) {
			t.Errorf("without the database: %v", a.Err)
		}
	})
}

func TestMessagesThatWaitShareAStatementAndItsQuota(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		d.set(func() { d.left = 30 })
		by := &message.Grant{TenantID: 7, KeyID: uuid.New(), KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 30}}
		var mu sync.Mutex
		var callers sync.WaitGroup
		admitted := 0
		for range 100 {
			callers.Go(func() {
				if k.Admit(t.Context(), by, []*message.Message{mailTo(1, "a@example.com")})[0].Err == nil {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		if admitted != 30 || d.quotas > 3 {
			t.Errorf("%d admitted by %d statements, want 30 by a few", admitted, d.quotas)
		}
	})
}

// BenchmarkEnter is what a request pays for its key.
func BenchmarkEnter(b *testing.B) {
	d := newDatabase()
	k := keys.New(keys.Config{Finder: d, Counter: d})
	k.Start(map[string]int64{"a-key-of-the-settings": 3})
	defer func() { _ = k.Stop(context.Background()) }()
	for name, token := range map[string]string{"settings": "a-key-of-the-settings", "database": d.add(1)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Enter(b.Context(), token, message.RightSend); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
