package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	maxTemplates = 2_000 // of one tenant
	// keptVersions is how many versions of a template are kept beside the
	// published one. Messages are rendered when they are accepted and need none.
	keptVersions = 100
)

// templateColumns are those of t, a template.
const templateColumns = `t.id, t.tenant_id, t.kind, t.name, t.revision, t.current, t.published, t.published_at,
	t.created_at, t.updated_at, (SELECT alias FROM template_aliases AS a WHERE a.template_id=t.id AND a.tenant_id=t.tenant_id)`

func scanTemplate(rows row, more ...any) (message.Template, error) {
	var t message.Template
	var alias sql.NullString
	var published sql.NullInt64
	var created, updated int64
	err := rows.Scan(append([]any{
		&t.ID, &t.TenantID, &t.Kind, &t.Name, &t.Revision, &t.Current.Number, &t.Published, &published, &created, &updated, &alias,
	}, more...)...)
	t.Alias = alias.String
	t.PublishedAt, t.CreatedAt, t.UpdatedAt = fromMillis(published.Int64), fromMillis(created), fromMillis(updated)
	return t, err
}

// named is the condition under which t is the template of tenant $1 with the
// name $2.
func named(name message.TemplateName) (condition string, arg any) {
	if name.ID != uuid.Nil {
		return `t.tenant_id=$1 AND t.id=$2`, name.ID
	}
	return `t.tenant_id=$1 AND t.id=(SELECT template_id FROM template_aliases WHERE tenant_id=$1 AND alias=$2)`, name.Alias
}

// Template reads a template with its current version.
func (s *Store) Template(ctx context.Context, tenant int64, name message.TemplateName) (message.Template, error) {
	var found message.Template
	condition, arg := named(name)
	err := s.read(ctx, "read a template", func(ctx context.Context, t *txn) error {
		var body string
		err := t.rows(ctx, `SELECT `+templateColumns+`, v.id, v.body FROM templates AS t
			JOIN template_versions AS v ON v.template_id=t.id AND v.version=t.current AND v.tenant_id=t.tenant_id
			WHERE `+condition, []any{tenant, arg}, func(rows row) (err error) {
			var id uuid.UUID
			found, err = scanTemplate(rows, &id, &body)
			found.Current.ID = id
			return err
		})
		if err != nil {
			return err
		}
		if found.ID == uuid.Nil {
			return message.ErrNotFound
		}
		found.Current.Body, err = templateBody(body)
		return err
	})
	return found, err
}

// templateBody decodes a body. Numbers stay as they were written.
func templateBody(text string) (message.TemplateBody, error) {
	var body message.TemplateBody
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil {
		return body, fmt.Errorf("body of a template: %w", err)
	}
	return body, nil
}

// Templates reads a page of the tenant's templates, newest first, without the
// bodies of their versions.
func (s *Store) Templates(ctx context.Context, filter message.TemplateFilter) (message.TemplatePage, error) {
	limit := min(max(filter.Limit, 1), pageMost)
	keys := message.Filter{TenantID: filter.TenantID, After: filter.After, Before: filter.Before}
	q := newQuery()
	text := `SELECT ` + templateColumns + ` FROM templates AS t WHERE ` + q.within(keys, "t.id") + ` LIMIT ` + q.arg(limit+1)
	var page message.TemplatePage
	err := s.read(ctx, "list templates", func(ctx context.Context, t *txn) error {
		page = message.TemplatePage{}
		return t.rows(ctx, text, q.args, func(rows row) error {
			found, err := scanTemplate(rows)
			page.Templates = append(page.Templates, found)
			return err
		})
	})
	page.HasMore = len(page.Templates) > limit
	page.Templates = page.Templates[:min(len(page.Templates), limit)]
	if keys.Upwards() {
		slices.Reverse(page.Templates)
	}
	return page, err
}

// RemoveTemplate takes a template away with all its versions.
func (s *Store) RemoveTemplate(ctx context.Context, tenant int64, name message.TemplateName) (uuid.UUID, error) {
	var id uuid.UUID
	condition, arg := named(name)
	err := s.tx(ctx, "remove a template", func(ctx context.Context, t *txn) error {
		err := t.row(ctx, `SELECT t.id FROM templates AS t WHERE `+condition+t.lockRows, []any{tenant, arg}, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return message.ErrNotFound
		}
		if err != nil {
			return err
		}
		args := []any{tenant, id}
		return t.last(ctx,
			command{query: `DELETE FROM template_aliases WHERE tenant_id=$1 AND template_id=$2`, args: args},
			command{query: `DELETE FROM template_versions WHERE tenant_id=$1 AND template_id=$2`, args: args},
			command{query: `DELETE FROM templates WHERE tenant_id=$1 AND id=$2`, args: args})
	})
	return id, err
}

// PublishedTemplate says which version of a template is published, and of what
// kind it is.
func (s *Store) PublishedTemplate(ctx context.Context, tenant int64, name message.TemplateName) (ref message.TemplateRef, kind message.TemplateKind, err error) {
	condition, arg := named(name)
	err = s.read(ctx, "find a template", func(ctx context.Context, t *txn) error {
		err := t.row(ctx, `SELECT t.id, t.published, t.kind FROM templates AS t WHERE `+condition, []any{tenant, arg}, &ref.ID, &ref.Version, &kind)
		if errors.Is(err, sql.ErrNoRows) {
			return message.ErrNotFound
		}
		return err
	})
	return ref, kind, err
}

// TemplateVersion reads the body of a version.
func (s *Store) TemplateVersion(ctx context.Context, tenant int64, ref message.TemplateRef) (message.TemplateBody, error) {
	var body message.TemplateBody
	err := s.read(ctx, "read a version of a template", func(ctx context.Context, t *txn) error {
		var text string
		err := t.row(ctx, `SELECT body FROM template_versions WHERE tenant_id=$1 AND template_id=$2 AND version=$3`,
			[]any{tenant, ref.ID, ref.Version}, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return message.ErrNotFound
		}
		if err != nil {
			return err
		}
		body, err = templateBody(text)
		return err
	})
	return body, err
}

// PublishedParts reads the published layouts and partials that have one of the
// aliases.
func (s *Store) PublishedParts(ctx context.Context, tenant int64, aliases []string) (map[string]message.TemplatePart, error) {
	l := list{columns: []column{{"valias", kindText}}, fixed: []any{tenant}}
	for _, alias := range aliases {
		l.rows = append(l.rows, []any{alias})
	}
	parts := map[string]message.TemplatePart{}
	err := s.read(ctx, "read parts of a template", func(ctx context.Context, t *txn) error {
		clear(parts)
		return t.each(ctx, l, `SELECT a.alias, t.kind, v.body FROM v AS l CROSS JOIN template_aliases AS a
			JOIN templates AS t ON t.id=a.template_id AND t.tenant_id=a.tenant_id
			JOIN template_versions AS v ON v.template_id=t.id AND v.version=t.published AND v.tenant_id=t.tenant_id
			WHERE a.tenant_id=$1 AND a.alias=l.valias AND t.kind<>'email'`, func(rows row) error {
			var alias, text string
			var part message.TemplatePart
			err := rows.Scan(&alias, &part.Kind, &text)
			if err == nil {
				part.Body, err = templateBody(text)
			}
			parts[alias] = part
			return err
		})
	})
	return parts, err
}
