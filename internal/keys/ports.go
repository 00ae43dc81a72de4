// Package keys decides what a request may do: whose the key is that came with
// it, what that key is for, and how much it may. It makes and revokes keys.
package keys

import (
	"context"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Finder knows the keys of the database. Errors wrap message.ErrUnavailable. Safe
// for concurrent use.
//
// FindKeys answers in the order of the SHA-256 it is given, at most 128 of them.
// A key that was revoked, or whose time is over by the database's clock, is
// found in that state: from the commit of a revocation on, no call that begins
// finds the key valid.
//
// UseKeys notes that keys were used just now, each at most once a minute.
type Finder interface {
	FindKeys(ctx context.Context, hashes [][32]byte) ([]message.FoundKey, error)
	UseKeys(ctx context.Context, used []message.KeyUse) error
}

// Counter keeps what is left of the limits of keys, for all processes together.
// In each call a key stands once, at most 128 of them, and answers come in their
// order. A key is granted what is left where that is less than it asks for. With
// an error, which wraps message.ErrUnavailable, nobody knows whether anything
// was taken. Safe for concurrent use.
type Counter interface {
	CountRequests(ctx context.Context, asks []message.CountAsk) ([]message.RateCount, error)
	CountRecipients(ctx context.Context, asks []message.CountAsk) ([]message.QuotaCount, error)
	ReturnRecipients(ctx context.Context, returns []message.QuotaReturn) error
}

// Registry keeps keys and tenants. Errors wrap message.ErrUnavailable, or
// message.ErrNotFound where the tenant has no such key, or none is called so.
// CreateKey refuses with a *message.Error what would be more than message.MostKeys of
// the tenant, all processes together. Safe for concurrent use.
type Registry interface {
	CreateKey(ctx context.Context, k *message.APIKey) error
	Keys(ctx context.Context, f message.KeyFilter) (message.KeyPage, error)
	RevokeKey(ctx context.Context, tenant int64, id uuid.UUID) error
	TenantNamed(ctx context.Context, name string) (message.Tenant, error)
}
