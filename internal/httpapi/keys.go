package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// keys knows API keys by their digest only.
type keys []keyDigest

type keyDigest struct {
	digest [sha256.Size]byte
	tenant int64
}

func newKeys(tenants map[string]int64) keys {
	var list keys
	for key, tenant := range tenants {
		list = append(list, keyDigest{sha256.Sum256([]byte(key)), tenant})
	}
	return list
}

// tenant finds whose key it is. It compares with every key, all of it, so that
// the time it takes tells nothing about how near a guess came.
func (k keys) tenant(key string) (tenant int64, ok bool) {
	digest := sha256.Sum256([]byte(key))
	found := -1
	for i := range k {
		same := subtle.ConstantTimeCompare(digest[:], k[i].digest[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return 0, false
	}
	return k[found].tenant, true
}

// authenticate finds the tenant of a request by its bearer key (RFC 6750, 2.1).
// A key in the URL is not looked at: URLs end up in logs.
func (k keys) authenticate(r *http.Request) (int64, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return 0, fault(codeMissingAPIKey, "send your API key in the header Authorization: Bearer <key>")
	}
	scheme, key, _ := strings.Cut(values[0], " ")
	key = strings.Trim(key, " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return 0, fault(codeMissingAPIKey, "the header Authorization must have the form Bearer <key>")
	}
	tenant, ok := k.tenant(key)
	if !ok || len(values) > 1 {
		return 0, fault(codeInvalidAPIKey, "this API key is not known here")
	}
	return tenant, nil
}
