package conformance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
)

// KeyPorts is what keys and tenants ask of a store.
type KeyPorts interface {
	keys.Finder
	keys.Counter
	keys.Registry

	CreateTenant(ctx context.Context, name string) (message.Tenant, error)
	Tenants(ctx context.Context, after int64, limit int) ([]message.Tenant, error)
}

// KeyFixture opens stores on one fresh, migrated database. Shared says that
// several may be open at once; Open is called more than once only then.
type KeyFixture struct {
	Open   func(t *testing.T, clock *Clock) KeyPorts
	Shared bool
}

// Keys holds a store to what keys need of it. Every case gets a fixture of its
// own.
func Keys(t *testing.T, fixture func(t *testing.T) KeyFixture) {
	for _, c := range []struct {
		name string
		run  func(*keyBench)
	}{
		{"a key is found by its digest, with its limits", keyIsFound},
		{"keys that are not there are unknown", keysUnknown},
		{"a revoked key is found revoked", keyRevoked},
		{"a key expires by the database's clock", keyExpires},
		{"a key of another tenant is neither listed nor revoked", keysApart},
		{"lists go by pages", keyPages},
		{"a use is written once a minute", keyUses},
		{"a rate grants what is left of it", rateGrants},
		{"a rate comes back with time", rateComesBack},
		{"a clock that was far ahead ends no limit's key", limitsAfterFarAhead},
		{"many keys are counted apart", ratesApart},
		{"requests at the same moment share a rate", ratesTogether},
		{"a quota grants what is left of the day", quotaGrants},
		{"a quota is whole again the next day", quotaNextDay},
		{"recipients are given back to their day", quotaGivenBack},
		{"a tenant has only so many keys", keysBound},
		{"tenants have names of their own", tenantNames},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := fixture(t)
			clock := NewClock()
			noon := clock.Now().Truncate(24 * time.Hour).Add(36 * time.Hour)
			clock.Advance(noon.Sub(clock.Now())) // no case runs over midnight by chance
			c.run(&keyBench{T: t, store: f.Open(t, clock), clock: clock, fixture: f})
		})
	}
}

// keyBench is a store under test with the shorthand of the cases.
type keyBench struct {
	*testing.T
	store   KeyPorts
	clock   *Clock
	fixture KeyFixture
	slowest time.Duration // of the calls that count requests, since steady looked at it
}

func (b *keyBench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func same[T any](b *keyBench, what string, got, want T) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// make keeps a key whose secret is its name.
func (b *keyBench) make(tenant int64, name string, l message.KeyLimits) message.APIKey {
	b.Helper()
	k := message.APIKey{ID: message.NewID(), TenantID: tenant, Name: name, Hash: sha256.Sum256([]byte(name)), Prefix: "pr_12345", Limits: l}
	b.check(b.store.CreateKey(b.Context(), &k))
	return k
}

func (b *keyBench) find(names ...string) []message.FoundKey {
	b.Helper()
	var sums [][32]byte
	for _, name := range names {
		sums = append(sums, sha256.Sum256([]byte(name)))
	}
	found, err := b.store.FindKeys(b.Context(), sums)
	b.check(err)
	same(b, "answers", len(found), len(names))
	return found
}

func (b *keyBench) list(tenant int64) []message.APIKey {
	b.Helper()
	page, err := b.store.Keys(b.Context(), message.KeyFilter{TenantID: tenant, Limit: 100})
	b.check(err)
	return page.Keys
}

func sending() message.KeyLimits { return message.KeyLimits{Scope: message.ScopeSending} }

func keyIsFound(b *keyBench) {
	limits := message.KeyLimits{
		Scope: message.ScopeFull, Domains: []string{"*.example.com", "example.com"}, Rate: 7, DailyQuota: 1000,
		ExpiresAt: b.clock.Now().Add(time.Hour),
	}
	k := b.make(7, "full", limits)
	f := b.find("full")[0]
	same(b, "state", f.State, message.KeyValid)
	same(b, "grant", f.Grant, &message.Grant{TenantID: 7, KeyID: k.ID, KeyLimits: limits})
	if f.Left <= 59*time.Minute || f.Left > time.Hour+time.Millisecond { // SQLite's clock, made of a float, may be that much behind
		b.Errorf("valid for %v, want an hour", f.Left)
	}
	b.make(7, "plain", sending())
	f = b.find("plain")[0]
	same(b, "time left", f.Left, 0)
	same(b, "limits", len(f.Grant.Domains)+f.Grant.Rate+f.Grant.DailyQuota, 0)
	shown := b.list(7)[1]
	same(b, "as listed", shown.Limits, limits)
	same(b, "shown", []string{shown.Name, shown.Prefix}, []string{"full", "pr_12345"})
	if d := b.clock.Now().Sub(shown.CreatedAt).Abs(); d > 10*time.Second {
		b.Errorf("created %v away from now", d)
	}
}

func keysUnknown(b *keyBench) {
	b.make(1, "one", sending())
	b.make(2, "two", sending())
	var states []message.KeyState
	var tenants []int64
	for _, f := range b.find("no", "two", "neither", "one") {
		states = append(states, f.State)
		if f.Grant != nil {
			tenants = append(tenants, f.Grant.TenantID)
		}
	}
	same(b, "states", states, []message.KeyState{message.KeyUnknown, message.KeyValid, message.KeyUnknown, message.KeyValid})
	same(b, "tenants in order", tenants, []int64{2, 1})
}

func keyRevoked(b *keyBench) {
	k := b.make(1, "gone", sending())
	b.check(b.store.RevokeKey(b.Context(), 1, k.ID))
	f := b.find("gone")[0]
	same(b, "found", f, message.FoundKey{State: message.KeyRevoked})
	same(b, "listed", len(b.list(1)), 0)
	if err := b.store.RevokeKey(b.Context(), 1, k.ID); !errors.Is(err, message.ErrNotFound) {
		b.Errorf("revoked again: %v", err)
	}
}

func keyExpires(b *keyBench) {
	l := sending()
	l.ExpiresAt = b.clock.Now().Add(time.Minute)
	b.make(1, "short", l)
	same(b, "before", b.find("short")[0].State, message.KeyValid)
	b.clock.Advance(2 * time.Minute)
	same(b, "after", b.find("short")[0], message.FoundKey{State: message.KeyExpired})
	same(b, "listed", len(b.list(1)), 1)
}

func keysApart(b *keyBench) {
	k := b.make(1, "mine", sending())
	same(b, "listed for another", len(b.list(2)), 0)
	if err := b.store.RevokeKey(b.Context(), 2, k.ID); !errors.Is(err, message.ErrNotFound) {
		b.Errorf("revoked by another: %v", err)
	}
	b.check(b.store.UseKeys(b.Context(), []message.KeyUse{{TenantID: 2, KeyID: k.ID}}))
	same(b, "used by another", b.list(1)[0].LastUsedAt.IsZero(), true)
	same(b, "still", b.find("mine")[0].State, message.KeyValid)
}

func keyPages(b *keyBench) {
	var made []uuid.UUID
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		made = append(made, b.make(1, name, sending()).ID)
	}
	page := func(f message.KeyFilter) (ids []uuid.UUID, more bool) {
		b.Helper()
		f.TenantID = 1
		p, err := b.store.Keys(b.Context(), f)
		b.check(err)
		for _, k := range p.Keys {
			ids = append(ids, k.ID)
		}
		return ids, p.HasMore
	}
	ids, more := page(message.KeyFilter{Limit: 2})
	same(b, "first", ids, []uuid.UUID{made[4], made[3]})
	same(b, "more", more, true)
	ids, more = page(message.KeyFilter{Limit: 3, After: made[3]})
	same(b, "rest", ids, []uuid.UUID{made[2], made[1], made[0]})
	same(b, "more", more, false)
	ids, _ = page(message.KeyFilter{Limit: 2, Before: made[1]})
	same(b, "next to the second", ids, []uuid.UUID{made[3], made[2]})
}

// keysBound makes the last keys at the same moment, from several processes where that
// can be.
func keysBound(b *keyBench) {
	var first message.APIKey
	for n := range message.MostKeys - 5 {
		first = b.make(1, fmt.Sprint("key ", n), sending())
	}
	stores := []KeyPorts{b.store}
	if b.fixture.Shared {
		stores = append(stores, b.fixture.Open(b.T, b.clock))
	}
	one := func(n int) error {
		name := fmt.Sprint("one more ", n)
		return stores[n%len(stores)].CreateKey(b.Context(), &message.APIKey{ID: message.NewID(), TenantID: 1, Name: name, Hash: sha256.Sum256([]byte(name)), Limits: sending()})
	}
	var makers sync.WaitGroup
	var made atomic.Int32
	for n := range 20 {
		makers.Go(func() {
			err := one(n)
			if err == nil {
				made.Add(1)
			} else if !refusedFor(err, "", message.CodeTooLarge) {
				b.Error(err)
			}
		})
	}
	makers.Wait()
	same(b, "made of the last 5", made.Load(), 5)
	b.make(7, "another tenant's", sending())
	b.check(b.store.RevokeKey(b.Context(), 1, first.ID))
	b.check(one(20)) // its place is free
	same(b, "and no more", refusedFor(one(21), "", message.CodeTooLarge), true)
}

func keyUses(b *keyBench) {
	k := b.make(1, "used", sending())
	use := func() time.Time {
		b.Helper()
		b.check(b.store.UseKeys(b.Context(), []message.KeyUse{{TenantID: 1, KeyID: k.ID}}))
		return b.list(1)[0].LastUsedAt
	}
	first := use()
	if first.IsZero() {
		b.Fatal("no use was written")
	}
	b.clock.Advance(30 * time.Second)
	same(b, "half a minute later", use(), first)
	b.clock.Advance(40 * time.Second)
	if again := use(); !again.After(first) {
		b.Errorf("a minute later: %v, first %v", again, first)
	}
}

func tenantNames(b *keyBench) {
	made, err := b.store.CreateTenant(b.Context(), "shop")
	b.check(err)
	found, err := b.store.TenantNamed(b.Context(), "shop")
	b.check(err)
	same(b, "found", found, made)
	var refused *message.Error
	if _, err := b.store.CreateTenant(b.Context(), "shop"); !errors.As(err, &refused) || refused.Code != message.CodeTenantExists {
		b.Errorf("again: %v", err)
	}
	if _, err := b.store.TenantNamed(b.Context(), "none"); !errors.Is(err, message.ErrNotFound) {
		b.Errorf("one that is not there: %v", err)
	}
	var makers sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		makers.Go(func() {
			if _, err := b.store.CreateTenant(b.Context(), name); err != nil {
				b.Error(err)
			}
		})
	}
	makers.Wait()
	all, err := b.store.Tenants(b.Context(), 1, 100)
	b.check(err)
	same(b, "all but the default", len(all), 5)
	some, err := b.store.Tenants(b.Context(), made.ID, 2)
	b.check(err)
	same(b, "from one on", []int{len(some), int(some[0].ID)}, []int{2, int(made.ID) + 1})
}
