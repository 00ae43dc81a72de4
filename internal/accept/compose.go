package accept

import (
	"cmp"
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/message"
)

// write makes the message of a draft, still without id and tenant. One that names a template is rendered
// now: what was accepted is what will be sent, whatever becomes of the template.
func (s *Service) write(ctx context.Context, tenant int64, draft *message.Draft) (*message.Message, error) {
	if draft.Template == nil {
		return s.limits.Validate(draft, s.now())
	}
	var faults message.Faults
	if s.templates == nil {
		faults.Add("/template", message.CodeUnsupportedField, "is not supported here")
		return nil, faults.Err()
	}
	if err := faults.Join(s.limits.Precheck(draft, s.now())); err != nil {
		return nil, err
	}
	rendered, err := s.templates.Render(ctx, tenant, draft.Template)
	if err := faults.Join(err); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	m, err := s.limits.Validate(written(draft, &rendered), s.now())
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
