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

// CreateTenant makes a tenant. A name that is taken is a *message.Error of
// CodeTenantExists.
func (s *Store) CreateTenant(ctx context.Context, name string) (message.Tenant, error) {
	op := fmt.Sprintf("create tenant %q", name)
	for range tenantTries {
		var made message.Tenant
		taken := false
		err := s.tx(ctx, op, func(ctx context.Context, t *txn) error {
			made, taken = message.Tenant{Name: name}, false
			err := t.rows(ctx, `
				INSERT INTO tenants (id, name, created_at)
				SELECT MAX(id)+1, $1, `+t.clock()+` FROM tenants WHERE TRUE ON CONFLICT DO NOTHING
				RETURNING id, created_at`, []any{name}, func(rows row) error {
				var createdAt int64
				err := rows.Scan(&made.ID, &createdAt)
				made.CreatedAt = fromMillis(createdAt)
				return err
			})
			if err != nil || made.ID != 0 {
				return err
			}
			return t.rows(ctx, `SELECT 1 FROM tenants WHERE name=$1`, []any{name}, func(row) error { taken = true; return nil })
		})
		switch {
		case err != nil:
			return message.Tenant{}, err
		case taken:
			return message.Tenant{}, &message.Error{Code: message.CodeTenantExists, Detail: "there is a tenant of this name"}
		case made.ID != 0:
			return made, nil
		}
	}
	return message.Tenant{}, fmt.Errorf("%s: no number could be had: %w", op, message.ErrUnavailable)
}

// TenantNamed finds a tenant; message.ErrNotFound where there is none.
func (s *Store) TenantNamed(ctx context.Context, name string) (message.Tenant, error) {
	list, err := s.tenants(ctx, `WHERE name=$1`, name)
	if err == nil && len(list) == 0 {
		err = message.ErrNotFound
	}
	if err != nil {
		return message.Tenant{}, err
	}
	return list[0], nil
}

// Tenants lists tenants by their numbers, those after one number first.
func (s *Store) Tenants(ctx context.Context, after int64, limit int) ([]message.Tenant, error) {
	return s.tenants(ctx, `WHERE id>$1 ORDER BY id LIMIT $2`, after, limit)
}

func (s *Store) tenants(ctx context.Context, which string, args ...any) (list []message.Tenant, err error) {
	err = s.read(ctx, "read tenants", func(ctx context.Context, t *txn) error {
		list = nil
		return t.rows(ctx, `SELECT id, name, created_at FROM tenants `+which, args, func(rows row) error {
			var one message.Tenant
			var createdAt int64
			err := rows.Scan(&one.ID, &one.Name, &createdAt)
			one.CreatedAt = fromMillis(createdAt)
			list = append(list, one)
			return err
		})
	})
	return list, err
}

// lockTenant makes those wait for each other who add to what a tenant may have a number
// of: what they count stays true until their commit.
func (t *txn) lockTenant(ctx context.Context, tenant int64) error {
	return t.rows(ctx, `SELECT 1 FROM tenants WHERE id=$1`+t.lockRows, []any{tenant}, func(rows row) error { return rows.Scan(new(int)) })
}
