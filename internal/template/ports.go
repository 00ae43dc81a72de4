// Package template keeps templates and renders them: it checks what callers
// write when they write it, so that what is published can be sent, and fills
// published versions with values when a message is accepted.
package template

import (
	"context"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Store keeps templates, each within its tenant. Errors wrap
// message.ErrNotFound where the tenant has none of that name, and
// message.ErrUnavailable. Safe for concurrent use.
//
// SaveTemplate makes a new template where Revision is 0. Otherwise it replaces
// the one that has still that revision, and fails with message.ErrChanged where
// there is none. A version that is published is kept as it is; the current one
// is written, and published where its number is t.Published. It is a
// *message.Error with CodeAliasTaken in a field where another template of the
// tenant has the alias, and with CodeTooLarge where the tenant has too many.
//
// RemoveTemplate takes the template with all its versions.
type Store interface {
	Template(ctx context.Context, tenant int64, name message.TemplateName) (message.Template, error)
	Templates(ctx context.Context, filter message.TemplateFilter) (message.TemplatePage, error)
	SaveTemplate(ctx context.Context, t *message.Template) error
	RemoveTemplate(ctx context.Context, tenant int64, name message.TemplateName) (uuid.UUID, error)
}

// Published reads what is published. Errors are those of Store.
//
// PublishedTemplate says which version of a template that is, and of what kind;
// Number is 0 where none is. TemplateVersion reads the body of a version.
// PublishedParts reads the published layouts and partials that have one of the
// aliases; those that are not there are left out.
type Published interface {
	PublishedTemplate(ctx context.Context, tenant int64, name message.TemplateName) (ref message.TemplateRef, kind message.TemplateKind, err error)
	TemplateVersion(ctx context.Context, tenant int64, ref message.TemplateRef) (message.TemplateBody, error)
	PublishedParts(ctx context.Context, tenant int64, aliases []string) (map[string]Part, error)
}

// Part is a layout or a partial, as it is published.
type Part = message.TemplatePart
