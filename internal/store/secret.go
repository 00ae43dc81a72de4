package store

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Secret returns 32 random bytes that every process on this database gets under
// the name. They are made at the first call; of two first calls at the same
// moment one decides.
func (s *Store) Secret(ctx context.Context, name string) ([32]byte, error) {
	var fresh, secret [32]byte
	_, _ = rand.Read(fresh[:]) // it ends the process rather than fail
	err := s.tx(ctx, "get a secret", func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `INSERT INTO secrets (name, value, created_at) VALUES ($1, $2, `+t.clock()+`)
			ON CONFLICT (name) DO NOTHING`, name, fresh[:])
		if err != nil {
			return err
		}
		var value []byte
		if err := t.row(ctx, `SELECT value FROM secrets WHERE name=$1`, []any{name}, &value); err != nil {
			return err
		}
		if copy(secret[:], value) != len(secret) || len(value) != len(secret) {
			return fmt.Errorf("the secret %s is not %d bytes long", name, len(secret))
		}
		return nil
	})
	return secret, err
}
