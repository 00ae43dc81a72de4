package message

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Scope is what an API key is for.
type Scope string

// Every scope.
const (
	ScopeSending Scope = "sending" // sends
	ScopeRead    Scope = "read"    // looks
	ScopeFull    Scope = "full"    // sends, looks, and changes what is there
	ScopeAdmin   Scope = "admin"   // as full, and makes and revokes keys
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{ScopeSending, ScopeRead, ScopeFull, ScopeAdmin} }

// Right is what a call of the API needs its key to allow.
type Right string

// Every right. RightContent is to have a mail whole, as it was sent. RightOperate is about tenants as such: only admin keys of the
// tenant default have it, which belongs to whoever runs the server.
const (
	RightSend       Right = "send"
	RightRead       Right = "read"
	RightContent    Right = "content"
	RightChange     Right = "change"
	RightAdminister Right = "administer"
	RightOperate    Right = "operate"
)

// holds reports whether keys of the scope have the right.
func (s Scope) holds(r Right) bool {
	switch r {
	case RightSend:
		return s == ScopeSending || s == ScopeFull || s == ScopeAdmin
	case RightRead:
		return s == ScopeRead || s == ScopeFull || s == ScopeAdmin
	case RightChange, RightContent:
		return s == ScopeFull || s == ScopeAdmin
	case RightAdminister:
		return s == ScopeAdmin
	}
	return false
}

// APIKey is a key as it is kept: never the key itself.
type APIKey struct {
	ID       uuid.UUID
	TenantID int64
	Name     string
	Hash     [32]byte // SHA-256 of the key
	Prefix   string   // the first characters of the key, to tell keys apart
	Limits   KeyLimits

	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; zero: never
	RevokedAt  time.Time // zero: it was not
}

// KeyLimits is what a key may do.
type KeyLimits struct {
	Scope      Scope
	Domains    []string  // of senders, see AllowsSender; none: any
	Rate       int       // requests a second across all producers; 0: any number
	DailyQuota int       // recipients a day across all producers; 0: any number
	ExpiresAt  time.Time // zero: never
}

// AllowsSender reports whether mail may be from that domain, in lower case and
// ASCII: one of the list, or below one that stands there as *.example.com.
func (l *KeyLimits) AllowsSender(domain string) bool {
	return len(l.Domains) == 0 || slices.ContainsFunc(l.Domains, func(allowed string) bool {
		if above, ok := strings.CutPrefix(allowed, "*"); ok {
			return strings.HasSuffix(domain, above) && len(domain) > len(above)
		}
		return domain == allowed
	})
}

// Grant is what a request may do, by the key that came with it. Nobody changes
// one: requests share it. The zero Grant may do nothing.
type Grant struct {
	TenantID int64
	KeyID    uuid.UUID // uuid.Nil: a key of the settings, or no key's request
	KeyLimits
}

// Unrestricted is the grant of what a tenant does without a key of the database.
func Unrestricted(tenant int64) *Grant {
	return &Grant{TenantID: tenant, KeyLimits: KeyLimits{Scope: ScopeAdmin}}
}

// May reports whether the grant holds the right.
func (g *Grant) May(r Right) bool {
	if r == RightOperate {
		return g.Scope == ScopeAdmin && g.TenantID == DefaultTenant
	}
	return g.Scope.holds(r)
}

// Restricted reports whether what the grant may send depends on the message.
func (g *Grant) Restricted() bool { return len(g.Domains) > 0 || g.DailyQuota > 0 }

// KeyState is what became of a key.
type KeyState int

// Every state. The zero KeyState is of a key that is not known.
const (
	KeyUnknown KeyState = iota
	KeyValid
	KeyRevoked
	KeyExpired
)

// FoundKey is the answer to who a key belongs to. Left is for how long it may be
// used yet; 0: without end. Only a valid key has a grant.
type FoundKey struct {
	State KeyState
	Grant *Grant
	Left  time.Duration
}

// KeyUse is a key that was used.
type KeyUse struct {
	TenantID int64
	KeyID    uuid.UUID
}

// CountAsk asks for some of what a key's limit leaves. By has that limit.
type CountAsk struct {
	By *Grant
	N  int // at least 1
}

// RateCount is what of a key's rate was granted. Times are from now on.
type RateCount struct {
	Granted int           // of those asked for
	Left    int           // could be granted now
	Full    time.Duration // until all of the rate is there again
	Next    time.Duration // until one more would be granted; 0: now
}

// QuotaCount is what of a key's daily quota was granted.
type QuotaCount struct {
	Granted int
	Left    int           // of today, after this
	Day     int64         // which, to give back by
	Next    time.Duration // until the next day, in UTC
}

// QuotaReturn gives back what was granted on a day and not used.
type QuotaReturn struct {
	KeyUse
	Day int64
	N   int
}

// Admission is what became of a message at the limits of its key. Recipients is
// how many of it the daily quota of Day counts now; 0 where there is none.
type Admission struct {
	Recipients int
	Day        int64
	Err        error // *Error, or wraps ErrUnavailable; nil: it may be accepted
}

// Tenant owns messages, keys and all that belongs to them.
type Tenant struct {
	ID        int64
	Name      string
	CreatedAt time.Time
}

// KeyFilter selects keys for a list: those of a tenant, newest first, without
// those that were revoked.
type KeyFilter struct {
	TenantID int64
	After    uuid.UUID // only older than this id; uuid.Nil: from the newest
	Before   uuid.UUID // only newer than this id; the page next to it
	Limit    int       // 1 to 100
}

// KeyPage is one page of a list.
type KeyPage struct {
	Keys    []APIKey
	HasMore bool
}
