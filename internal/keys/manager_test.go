package keys_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
)

// registry keeps the last key that was made.
type registry struct{ made *message.APIKey }

func (r *registry) CreateKey(_ context.Context, k *message.APIKey) error { r.made = k; return nil }
func (r *registry) Keys(_ context.Context, f message.KeyFilter) (message.KeyPage, error) {
	return message.KeyPage{Keys: []message.APIKey{{TenantID: f.TenantID}}}, nil
}
func (r *registry) RevokeKey(context.Context, int64, uuid.UUID) error { return message.ErrNotFound }

func (r *registry) TenantNamed(_ context.Context, name string) (message.Tenant, error) {
	if name != "shop" {
		return message.Tenant{}, message.ErrNotFound
	}
	return message.Tenant{ID: 9, Name: name}, nil
}

func TestEveryKeyIsAnotherAndKeptByItsDigest(t *testing.T) {
	r := &registry{}
	m := keys.NewManager(r, time.Now)
	seen := map[string]bool{}
	form := regexp.MustCompile(`^pr_[0-9A-Za-z]{49}$`)
	for range 200 {
		k, token, err := m.Create(t.Context(), message.Unrestricted(7), &message.KeyDraft{Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if seen[token] || !form.MatchString(token) {
			t.Fatalf("a key of %d signs, seen before: %v", len(token), seen[token])
		}
		seen[token] = true
		if r.made.Hash != sha256.Sum256([]byte(token)) || r.made.Prefix != token[:8] || k.TenantID != 7 || k.Limits.Scope != message.ScopeFull {
			t.Fatalf("kept %+v", r.made)
		}
	}
}

func TestAKeyThatWasMadeIsLetIn(t *testing.T) {
	in(t, func(t *testing.T, k *keys.Keyring, d *database) {
		made, token, err := keys.NewManager(&registry{}, time.Now).Create(t.Context(), message.Unrestricted(7), &message.KeyDraft{Name: "test", Scope: "read"})
		if err != nil {
			t.Fatal(err)
		}
		d.set(func() {
			d.found[made.Hash] = message.FoundKey{State: message.KeyValid, Grant: &message.Grant{TenantID: 7, KeyID: made.ID, KeyLimits: made.Limits}}
		})
		if _, err := k.Enter(t.Context(), token, message.RightRead); err != nil {
			t.Error(err)
		}
		if _, err := k.Enter(t.Context(), token, message.RightSend); codeOf(err) != message.CodeRestrictedAPIKey {
			t.Errorf("to send: %v", err)
		}
	})
}

func TestOnlyAnOperatorNamesATenant(t *testing.T) {
	m := keys.NewManager(&registry{}, time.Now)
	operator, other := message.Unrestricted(message.DefaultTenant), message.Unrestricted(7)
	for _, row := range []struct {
		by     *message.Grant
		tenant string
		want   int64
		code   message.Code
	}{
		{operator, "", 1, ""},
		{operator, "shop", 9, ""},
		{operator, "none", 0, message.CodeValidation},
		{other, "", 7, ""},
		{other, "shop", 0, message.CodeRestrictedAPIKey},
		{other, "none", 0, message.CodeRestrictedAPIKey}, // and is not told whether there is one
	} {
		k, _, err := m.Create(t.Context(), row.by, &message.KeyDraft{Name: "test", Tenant: row.tenant})
		if k.TenantID != row.want || codeOf(err) != row.code {
			t.Errorf("tenant %d makes a key for %q: of %d, %v", row.by.TenantID, row.tenant, k.TenantID, err)
		}
		page, err := m.List(t.Context(), row.by, row.tenant, message.KeyFilter{})
		if codeOf(err) != row.code || row.code == "" && page.Keys[0].TenantID != row.want {
			t.Errorf("tenant %d lists the keys of %q: %v", row.by.TenantID, row.tenant, err)
		}
		err = m.Revoke(t.Context(), row.by, row.tenant, uuid.New())
		if codeOf(err) != row.code || row.code == "" && !errors.Is(err, message.ErrNotFound) {
			t.Errorf("tenant %d revokes a key of %q: %v", row.by.TenantID, row.tenant, err)
		}
	}
}
