package store

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/message"
)

// tenantTries bounds how often two processes may take each other's number.
const tenantTries = 20

// EnsureTenants returns the numbers of tenants and creates those that are
// missing. "default" is message.DefaultTenant.
func (s *Store) EnsureTenants(ctx context.Context, names []string) (map[string]int64, error) {
	numbers := make(map[string]int64, len(names))
	for _, name := range names {
		id, err := s.ensureTenant(ctx, name)
		if err != nil {
			return nil, err
		}
		numbers[name] = id
	}
	return numbers, nil
}

func (s *Store) ensureTenant(ctx context.Context, name string) (int64, error) {
	var id int64
	op := fmt.Sprintf("tenant %q", name)
	for range tenantTries {
		err := s.single(ctx, op, func(ctx context.Context, t *txn) error {
			return t.rows(ctx, `SELECT id FROM tenants WHERE name=$1`, []any{name}, func(rows row) error {
				return rows.Scan(&id)
			})
		})
		if err != nil || id != 0 {
			return id, err
		}
		err = s.single(ctx, op, func(ctx context.Context, t *txn) error {
			_, err := t.exec(ctx, `
				INSERT INTO tenants (id, name, created_at)
				SELECT MAX(id)+1, $1, `+t.clock()+` FROM tenants WHERE TRUE ON CONFLICT DO NOTHING`, name)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%s: no number could be had: %w", op, message.ErrUnavailable)
}
