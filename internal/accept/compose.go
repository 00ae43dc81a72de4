package accept

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Compose makes the message of a draft that comes another way than by Accept, still
// without id and tenant, by the time that the caller asked at. Its files come with
// it: none is fetched.
func (s *Service) Compose(ctx context.Context, tenant int64, draft *message.Draft, at time.Time) (*message.Message, error) {
	if hasPaths(draft) {
		return nil, refusePaths(draft)
	}
	return s.write(ctx, tenant, draft, at)
}

// write makes the message of a draft, still without id and tenant. One that names a
// template is rendered now: what was accepted is what will be sent, whatever becomes
// of the template.
func (s *Service) write(ctx context.Context, tenant int64, draft *message.Draft, now time.Time) (*message.Message, error) {
	if draft.Template == nil {
		return s.limits.Validate(draft, now)
	}
	var faults message.Faults
	if s.templates == nil {
		faults.Add("/template", message.CodeUnsupportedField, "is not supported here")
		return nil, faults.Err()
	}
	if err := faults.Join(s.limits.Precheck(draft, now)); err != nil {
		return nil, err
	}
	rendered, err := s.templates.Render(ctx, tenant, draft.Template)
	if err := faults.Join(err); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	m, err := s.limits.Validate(written(draft, &rendered), now)
	if err != nil {
		return nil, err
	}
	m.Head.Template = &rendered.Ref
	return m, nil
}

// written is the draft as it would have been written without a template. What
// the caller says himself goes before what the template says.
func written(draft *message.Draft, r *message.Rendered) *message.Draft {
	d := *draft
	d.Template = nil
	d.From, d.Subject = cmp.Or(d.From, r.From), cmp.Or(d.Subject, r.Subject)
	if len(d.ReplyTo) == 0 {
		d.ReplyTo = r.ReplyTo
	}
	d.HTML, d.Text = r.HTML, r.Text
	return &d
}
