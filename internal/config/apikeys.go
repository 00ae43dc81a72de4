package config

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// DefaultTenant owns the keys that name no tenant.
const DefaultTenant = "default"

// TenantKey is a key and the tenant it opens.
type TenantKey struct {
	Tenant string
	Key    Secret
}

// APIKeys are the keys that a server takes.
type APIKeys []TenantKey

// Decode reads tenant:key pairs, separated by commas. Empty is none.
func (a *APIKeys) Decode(text string) error {
	var keys APIKeys
	seen := map[string]bool{}
	for i, entry := range entries(text) {
		k, err := tenantKey(entry, i+1)
		if err != nil {
			return err
		}
		if seen[k.Key.Reveal()] {
			return bad(fmt.Sprintf("holds the key of entry %d twice", i+1), "give each key once; a key opens one tenant")
		}
		seen[k.Key.Reveal()] = true
		keys = append(keys, k)
	}
	*a = keys
	return nil
}

func entries(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func tenantKey(entry string, position int) (TenantKey, error) {
	const remedy = "write tenant:key, or a key alone for the tenant default, separated by commas"
	tenant, key, named := strings.Cut(strings.TrimSpace(entry), ":")
	if !named {
		tenant, key = DefaultTenant, tenant
	}
	switch {
	case !message.ValidTenantName(tenant):
		return TenantKey{}, bad(fmt.Sprintf("has an entry %d whose tenant is not 1 to 64 lower-case letters, digits, dashes or underscores", position), remedy)
	case !validKey(key):
		return TenantKey{}, bad(fmt.Sprintf("has an entry %d whose key is empty, longer than 256 characters, or holds other signs than letters, digits and -._~+/=", position), remedy)
	}
	return TenantKey{Tenant: tenant, Key: NewSecret(key)}, nil
}

// validKey allows what a bearer token may hold (RFC 6750, 2.1).
func validKey(key string) bool {
	return key != "" && len(key) <= 256 &&
		made(key, "-._~+/=")
}

// String shows the tenants and hides the keys.
func (a APIKeys) String() string {
	shown := make([]string, len(a))
	for i, k := range a {
		shown[i] = k.Tenant + ":" + k.Key.String()
	}
	return strings.Join(shown, ",")
}

// GoString hides the keys from %#v.
func (a APIKeys) GoString() string { return a.String() }

// APIKey is the one key that a client shows.
type APIKey struct{ Secret }

// Decode reads a key.
func (a *APIKey) Decode(text string) error {
	if !validKey(text) {
		return bad("is not a key", "give a key alone, without tenant: letters, digits and -._~+/= only")
	}
	*a = APIKey{NewSecret(text)}
	return nil
}
