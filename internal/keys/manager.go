package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Manager makes, lists and revokes keys, for those who hold
// message.RightAdminister. Safe for concurrent use.
type Manager struct {
	registry Registry
	now      func() time.Time
}

// NewManager returns a manager of the keys in the registry. Now is this host's
// clock: only the plausibility of an expiry is judged by it.
func NewManager(r Registry, now func() time.Time) *Manager { return &Manager{registry: r, now: now} }

// Create makes a key. The token is the key itself: this is the only time that it
// is known. The error is a *message.Error where the draft is refused, or wraps
// message.ErrUnavailable: then there may be a key that nobody has.
func (m *Manager) Create(ctx context.Context, by *message.Grant, d *message.KeyDraft) (k message.APIKey, token string, err error) {
	name, limits, err := d.Validate(m.now())
	if err != nil {
		return k, "", err
	}
	tenant, err := m.tenant(ctx, by, d.Tenant)
	if err != nil {
		return k, "", err
	}
	token = newToken()
	k = message.APIKey{
		ID: message.NewID(), TenantID: tenant, Name: name, Hash: digest(token), Prefix: token[:prefixSigns], Limits: limits,
	}
	if err := m.registry.CreateKey(ctx, &k); err != nil {
		return message.APIKey{}, "", fmt.Errorf("create key: %w", err)
	}
	return k, token, nil
}

// List reads a page of the keys of who asks, or, for an operator, of the named
// tenant. The filter's tenant is set here.
func (m *Manager) List(ctx context.Context, by *message.Grant, tenant string, f message.KeyFilter) (message.KeyPage, error) {
	var err error
	if f.TenantID, err = m.tenant(ctx, by, tenant); err != nil {
		return message.KeyPage{}, err
	}
	return m.registry.Keys(ctx, f)
}

// Revoke ends a key for good, in every process within 5 s. The error wraps
// message.ErrNotFound where there is none, or none any more.
func (m *Manager) Revoke(ctx context.Context, by *message.Grant, tenant string, id uuid.UUID) error {
	number, err := m.tenant(ctx, by, tenant)
	if err != nil {
		return err
	}
	return m.registry.RevokeKey(ctx, number, id)
}

// tenant is the number of the tenant that is asked for: the caller's own, unless
// an operator names another one. Names of tenants are told to nobody else.
func (m *Manager) tenant(ctx context.Context, by *message.Grant, name string) (int64, error) {
	switch {
	case name == "":
		return by.TenantID, nil
	case !by.May(message.RightOperate):
		return 0, &message.Error{Code: message.CodeRestrictedAPIKey, Detail: "only an admin key of the tenant default may name a tenant"}
	}
	t, err := m.registry.TenantNamed(ctx, name)
	if errors.Is(err, message.ErrNotFound) {
		var faults message.Faults
		faults.Add("/tenant", message.CodeInvalidField, "there is no such tenant; create it first")
		return 0, faults.Err()
	}
	return t.ID, err
}
