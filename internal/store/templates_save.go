package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// SaveTemplate makes a template or replaces the one with the same revision. The
// current version is written, and published where its number is t.Published; one
// that was published before is not touched.
func (s *Store) SaveTemplate(ctx context.Context, template *message.Template) error {
	body, err := json.Marshal(template.Current.Body)
	if err != nil {
		return fmt.Errorf("encode a template: %w", err)
	}
	return s.tx(ctx, "save a template", func(ctx context.Context, t *txn) error {
		save := t.replaceTemplate
		if template.Revision == 0 {
			save = t.insertTemplate
		}
		if err := save(ctx, template); err != nil {
			return err
		}
		if err := t.saveAlias(ctx, template); err != nil {
			return err
		}
		return t.saveVersion(ctx, template, string(body))
	})
}

func (t *txn) insertTemplate(ctx context.Context, m *message.Template) error {
	if err := t.roomForTemplate(ctx, m.TenantID); err != nil {
		return err
	}
	_, err := t.exec(ctx, `INSERT INTO templates (id, tenant_id, kind, name, revision, current, published, published_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 1, $5, $6, CASE WHEN $6>0 THEN `+t.clock()+` END, `+t.clock()+`, `+t.clock()+`)`,
		m.ID, m.TenantID, m.Kind, m.Name, m.Current.Number, m.Published)
	return err
}

// roomForTemplate refuses one template more than a tenant may have.
func (t *txn) roomForTemplate(ctx context.Context, tenant int64) error {
	if err := t.lockTenant(ctx, tenant); err != nil {
		return err
	}
	n := 0
	err := t.row(ctx, `SELECT COUNT(*) FROM templates WHERE tenant_id=$1`, []any{tenant}, &n)
	if err == nil && n >= maxTemplates {
		err = refusedTemplate("", message.CodeTooLarge, fmt.Sprintf("there are %d templates, and no more are allowed; remove some", n))
	}
	return err
}

func (t *txn) replaceTemplate(ctx context.Context, m *message.Template) error {
	changed, err := t.exec(ctx, `UPDATE templates SET name=$4, revision=revision+1, current=$5, published=$6, updated_at=`+t.clock()+`,
		published_at=CASE WHEN published<>$6 THEN `+t.clock()+` ELSE published_at END
		WHERE tenant_id=$1 AND id=$2 AND revision=$3`, m.TenantID, m.ID, m.Revision, m.Name, m.Current.Number, m.Published)
	if err == nil && changed == 0 {
		return message.ErrChanged
	}
	return err
}

// saveAlias gives the template its alias and takes away the one it had.
func (t *txn) saveAlias(ctx context.Context, m *message.Template) error {
	_, err := t.exec(ctx, `DELETE FROM template_aliases WHERE tenant_id=$1 AND template_id=$2 AND alias<>$3`, m.TenantID, m.ID, m.Alias)
	if err != nil || m.Alias == "" {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO template_aliases (tenant_id, alias, template_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		m.TenantID, m.Alias, m.ID)
	if err != nil {
		return err
	}
	var owner uuid.UUID
	err = t.row(ctx, `SELECT template_id FROM template_aliases WHERE tenant_id=$1 AND alias=$2`, []any{m.TenantID, m.Alias}, &owner)
	switch {
	case errors.Is(err, sql.ErrNoRows): // its owner gave it up between the two statements
		return errAliasVanished
	case err == nil && owner != m.ID:
		return refusedTemplate("/alias", message.CodeAliasTaken, "another template has this alias")
	}
	return err
}

// saveVersion writes the current version and forgets those that are long past.
// A published one is not written again.
func (t *txn) saveVersion(ctx context.Context, m *message.Template, body string) error {
	v := m.Current
	published := m.Published == v.Number
	changed, err := t.exec(ctx, `INSERT INTO template_versions (template_id, version, tenant_id, id, body, created_at, published_at)
		VALUES ($1, $2, $3, $4, $5, `+t.clock()+`, CASE WHEN $6 THEN `+t.clock()+` END)
		ON CONFLICT (template_id, version) DO UPDATE SET body=$5, published_at=CASE WHEN $6 THEN `+t.clock()+` END
		WHERE template_versions.published_at IS NULL AND template_versions.tenant_id=$3`,
		m.ID, v.Number, m.TenantID, v.ID, body, published)
	if err != nil {
		return err
	}
	if changed == 0 {
		return message.ErrChanged
	}
	_, err = t.exec(ctx, `DELETE FROM template_versions WHERE tenant_id=$1 AND template_id=$2 AND version<$3 AND version<>$4`,
		m.TenantID, m.ID, v.Number-keptVersions, m.Published)
	return err
}

func refusedTemplate(pointer string, code message.Code, detail string) error {
	var faults message.Faults
	faults.Add(pointer, code, detail)
	return faults.Err()
}
