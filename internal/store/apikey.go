package store

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// limitColumns of api_keys are what limitsRow scans.
const limitColumns = `id, tenant_id, scope, domains, COALESCE(rate, 0), COALESCE(daily_quota, 0), COALESCE(expires_at, 0)`

// limitsRow is what a key is found for.
type limitsRow struct {
	id        uuid.UUID
	tenant    int64
	limits    message.KeyLimits
	domains   string
	expiresAt int64
}

func (r *limitsRow) dest() []any {
	return []any{&r.id, &r.tenant, &r.limits.Scope, &r.domains, &r.limits.Rate, &r.limits.DailyQuota, &r.expiresAt}
}

// whole returns the limits once the row was scanned.
func (r *limitsRow) whole() message.KeyLimits {
	r.limits.Domains, r.limits.ExpiresAt = strings.Fields(r.domains), fromMillis(r.expiresAt)
	return r.limits
}

// CreateKey keeps a new key. Its times are the database's. A tenant that has as many as
// it may is a *message.Error.
func (s *Store) CreateKey(ctx context.Context, k *message.APIKey) error {
	return s.tx(ctx, "create a key", func(ctx context.Context, t *txn) error {
		if err := t.roomForKey(ctx, k.TenantID); err != nil {
			return err
		}
		l := &k.Limits
		_, err := t.exec(ctx, `
			INSERT INTO api_keys (id, tenant_id, name, hash, prefix, scope, domains, rate, daily_quota, expires_at, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, `+t.clock()+`)`,
			k.ID, k.TenantID, k.Name, k.Hash[:], k.Prefix, string(l.Scope), strings.Join(l.Domains, " "),
			nullInt(l.Rate), nullInt(l.DailyQuota), millis(l.ExpiresAt))
		return err
	})
}

// roomForKey refuses one key more than a tenant may have.
func (t *txn) roomForKey(ctx context.Context, tenant int64) error {
	if err := t.lockTenant(ctx, tenant); err != nil {
		return err
	}
	n := 0
	err := t.row(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM api_keys WHERE tenant_id=$1 AND revoked_at IS NULL LIMIT $2) AS counted`,
		[]any{tenant, message.MostKeys}, &n)
	if err == nil && n >= message.MostKeys {
		var faults message.Faults
		faults.Add("", message.CodeTooLarge, fmt.Sprintf("there are %d keys, and no more are allowed; revoke some", n))
		err = faults.Err()
	}
	return err
}

// nullInt is the NULL of a column for 0.
func nullInt(n int) any {
	if n == 0 {
		return nil
	}
	return int64(n)
}

// FindKeys says whose the keys of these SHA-256 are, in their order. It is the one
// statement without a tenant: the key tells it.
func (s *Store) FindKeys(ctx context.Context, hashes [][32]byte) ([]message.FoundKey, error) {
	l := list{columns: []column{{"vhash", kindBytes}}}
	for i := range hashes {
		l.rows = append(l.rows, []any{hashes[i][:]})
	}
	found := make([]message.FoundKey, len(hashes))
	err := s.read(ctx, "find keys", func(ctx context.Context, t *txn) error {
		clear(found) // of a try before
		return t.each(ctx, l, `SELECT hash, `+t.clock()+`, COALESCE(revoked_at, 0), `+limitColumns+`
			FROM v CROSS JOIN api_keys WHERE hash=vhash`, func(rows row) error {
			var hash []byte
			var now, revokedAt int64
			var r limitsRow
			if err := rows.Scan(append([]any{&hash, &now, &revokedAt}, r.dest()...)...); err != nil {
				return err
			}
			f := r.found(now, revokedAt)
			for i := range hashes {
				if subtle.ConstantTimeCompare(hash, hashes[i][:]) == 1 {
					found[i] = f
				}
			}
			return nil
		})
	})
	return found, err
}

func (r *limitsRow) found(now, revokedAt int64) message.FoundKey {
	switch {
	case revokedAt != 0:
		return message.FoundKey{State: message.KeyRevoked}
	case r.expiresAt != 0 && r.expiresAt <= now:
		return message.FoundKey{State: message.KeyExpired}
	}
	f := message.FoundKey{State: message.KeyValid, Grant: &message.Grant{TenantID: r.tenant, KeyID: r.id, KeyLimits: r.whole()}}
	if r.expiresAt != 0 {
		f.Left = time.Duration(r.expiresAt-now) * time.Millisecond
	}
	return f
}

// useEvery is how often a key's last use is written, whatever the number of
// processes that have seen one.
const useEvery = time.Minute

// UseKeys notes that keys were used just now.
func (s *Store) UseKeys(ctx context.Context, used []message.KeyUse) error {
	l := list{columns: []column{{"vid", kindUUID}, {"vtenant", kindInt}}, fixed: []any{useEvery.Milliseconds()}}
	for _, u := range used {
		l.rows = append(l.rows, []any{u.KeyID, u.TenantID})
	}
	slices.SortFunc(l.rows, byUUID) // two processes may write of the same keys
	return s.tx(ctx, "note the use of keys", func(ctx context.Context, t *txn) error {
		now := t.clock()
		return t.each(ctx, l, `UPDATE api_keys SET last_used_at=`+now+` FROM v
			WHERE id=vid AND tenant_id=vtenant AND (last_used_at IS NULL OR last_used_at<=`+now+`-$1)`, nil)
	})
}

// byUUID sorts rows that begin with an id.
func byUUID(a, b []any) int {
	x, y := a[0].(uuid.UUID), b[0].(uuid.UUID)
	return slices.Compare(x[:], y[:])
}

// RevokeKey ends a key for good. One that is not the tenant's, or was revoked
// before, is message.ErrNotFound.
func (s *Store) RevokeKey(ctx context.Context, tenant int64, id uuid.UUID) error {
	return s.single(ctx, "revoke a key", func(ctx context.Context, t *txn) error {
		n, err := t.exec(ctx, `UPDATE api_keys SET revoked_at=`+t.clock()+` WHERE tenant_id=$1 AND id=$2 AND revoked_at IS NULL`, tenant, id)
		if err == nil && n == 0 {
			err = message.ErrNotFound
		}
		return err
	})
}

// Keys reads a page of a tenant's keys, newest first.
func (s *Store) Keys(ctx context.Context, f message.KeyFilter) (message.KeyPage, error) {
	f.Limit = min(max(f.Limit, 1), pageMost)
	cut := message.Filter{TenantID: f.TenantID, After: f.After, Before: f.Before}
	var page message.KeyPage
	err := s.read(ctx, "list keys", func(ctx context.Context, t *txn) error {
		page = message.KeyPage{}
		q := newQuery()
		text := `SELECT name, prefix, created_at, COALESCE(last_used_at, 0), ` + limitColumns + ` FROM api_keys
			WHERE revoked_at IS NULL AND ` + q.within(cut, "id") + ` LIMIT ` + q.arg(f.Limit+1)
		return t.rows(ctx, text, q.args, func(rows row) error {
			k, err := scanKey(rows)
			page.Keys = append(page.Keys, k)
			return err
		})
	})
	if len(page.Keys) > f.Limit {
		page.Keys, page.HasMore = page.Keys[:f.Limit], true
	}
	if cut.Upwards() {
		slices.Reverse(page.Keys)
	}
	return page, err
}

func scanKey(rows row) (message.APIKey, error) {
	var k message.APIKey
	var createdAt, usedAt int64
	var r limitsRow
	if err := rows.Scan(append([]any{&k.Name, &k.Prefix, &createdAt, &usedAt}, r.dest()...)...); err != nil {
		return k, err
	}
	k.ID, k.TenantID, k.Limits = r.id, r.tenant, r.whole()
	k.CreatedAt, k.LastUsedAt = fromMillis(createdAt), fromMillis(usedAt)
	return k, nil
}
