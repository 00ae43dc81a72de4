package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// linkSecret is the name of what links are signed with.
	linkSecret = "attachment_links"
	linkLife   = time.Hour
)

// links signs what lets a file be downloaded without a key. A token holds the
// tenant and the end of its life, and is good for one file.
type links struct {
	secrets Secrets

	mu     sync.Mutex
	secret *[32]byte // nil: not asked for yet
}

const tokenFields = 16 // tenant and end, before the signature

// token is good for the file of the tenant's message until the time, in whole
// seconds.
func (l *links) token(ctx context.Context, tenant int64, id, file uuid.UUID, expires time.Time) (string, error) {
	secret, err := l.key(ctx)
	if err != nil {
		return "", err
	}
	fields := binary.BigEndian.AppendUint64(nil, uint64(tenant))
	fields = binary.BigEndian.AppendUint64(fields, uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(fields, sign(secret, fields, id, file)...)), nil
}

// tenant is whose file the token lets be downloaded now; ok is false for any
// token that was not given out for it, or is over.
func (l *links) tenant(ctx context.Context, token string, id, file uuid.UUID, now time.Time) (tenant int64, ok bool, err error) {
	raw, malformed := base64.RawURLEncoding.Strict().DecodeString(token)
	if malformed != nil || len(raw) != tokenFields+sha256.Size {
		return 0, false, nil
	}
	secret, err := l.key(ctx)
	if err != nil {
		return 0, false, err
	}
	fields, signature := raw[:tokenFields], raw[tokenFields:]
	if !hmac.Equal(signature, sign(secret, fields, id, file)) {
		return 0, false, nil
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(fields[8:])), 0)
	return int64(binary.BigEndian.Uint64(fields)), now.Before(expires), nil
}

// sign covers everything that the link is about. All parts have a fixed length.
func sign(secret [32]byte, fields []byte, id, file uuid.UUID) []byte {
	mac := hmac.New(sha256.New, secret[:])
	_, _ = mac.Write(fields) // a hash takes everything
	_, _ = mac.Write(id[:])
	_, _ = mac.Write(file[:])
	return mac.Sum(nil)
}

func (l *links) key(ctx context.Context) ([32]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secret == nil {
		secret, err := l.secrets.Secret(ctx, linkSecret)
		if err != nil {
			return secret, err
		}
		l.secret = &secret
	}
	return *l.secret, nil
}
