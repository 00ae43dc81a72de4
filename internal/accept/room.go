package accept

import (
	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/internal/message"
)

// renderedBytes bounds what all requests hold that was made of templates, until it is
// stored. What a caller sent himself is bounded where it is read; here a few bytes of a
// request may become megabytes.
const renderedBytes = 192 << 20

// room is what one request has taken of what all may hold.
type room struct {
	all   *semaphore.Weighted
	taken int64
}

func (s *Service) room() *room { return &room{all: s.rendered} }

// take counts what a template made, until leave. Its error is a *message.Error: all hold
// as much as they may.
func (r *room) take(m *message.Message) error {
	if m.Head.Template == nil {
		return nil
	}
	n := int64(len(m.Head.Subject) + len(m.Content.HTML) + len(m.Content.Text))
	if !r.all.TryAcquire(n) {
		return &message.Error{
			Code: message.CodeOverloaded, Detail: "too much is being made of templates at once; repeat this request shortly",
		}
	}
	r.taken += n
	return nil
}

func (r *room) leave() { r.all.Release(r.taken) }
