package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// relayHost is the server that takes the mail. What it accepted, the truth
// keeps.
type relayHost struct{ downUntil time.Time }

func (h *relayHost) down() bool { return h.downUntil.After(time.Now()) }

// sender speaks SMTP with the relay host, one step of the scheduler for each
// verb.
type sender struct {
	w *world
	p *process
}

const hostName = "sink"

func sendError(f message.Fault, code int, text string) *message.SendError {
	e := &message.SendError{Fault: f, RelayHost: hostName, Code: code, Text: text}
	if f == message.FaultPermanent {
		e.Reason = message.ReasonRejected
	}
	return e
}

// Send implements the worker's Sender.
func (s *sender) Send(ctx context.Context, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	t := s.w.truth.begin(s.p, work)
	r, err := s.transact(ctx, t, work, mark)
	if errors.Is(err, message.ErrMarkRefused) || ctx.Err() != nil && !t.asked { // nothing will be recorded, or nothing of weight
		s.w.truth.forget(t)
	}
	return r, err
}

func (s *sender) transact(ctx context.Context, t *try, work *message.Work, mark func(context.Context) error) (message.Receipt, error) {
	name := s.w.truth.held(work.Held)
	for v := verbConnect; v < verbDot; v++ {
		if err := s.verb(ctx, v, name); err != nil {
			return message.Receipt{}, err
		}
	}
	t.asked = true
	if err := mark(ctx); err != nil {
		return message.Receipt{}, fmt.Errorf("before the final dot: %w", err)
	}
	t.heard = true
	return s.dot(ctx, t, name)
}

// verb is one command and its reply.
func (s *sender) verb(ctx context.Context, v verb, name string) error {
	l := s.w.park(ctx, &call{proc: s.p, kind: kSMTP + kind(v.String()), content: name})
	atFault := message.FaultTemporary
	if v <= verbEHLO {
		atFault = message.FaultRelayHost
	}
	switch {
	case l.end != proceed:
		return sendError(message.FaultTemporary, 0, "broken off")
	case v == verbConnect && s.w.host.down():
		return sendError(message.FaultRelayHost, 0, "connection refused")
	case l.fault == smtp4xx+Fault(v):
		return sendError(atFault, 451, "try later")
	case l.fault == smtp5xx+Fault(v) && v > verbEHLO:
		return sendError(message.FaultPermanent, 550, "no")
	case l.fault == smtp5xx+Fault(v):
		return sendError(message.FaultRelayHost, 554, "no")
	case l.fault == smtpDrop+Fault(v):
		return sendError(atFault, 0, "connection lost")
	}
	return nil
}

// dot writes the final dot and waits for the reply. What the relay host accepts
// is in the sink from that moment, whoever hears of it.
func (s *sender) dot(ctx context.Context, t *try, name string) (message.Receipt, error) {
	l := s.w.park(ctx, &call{proc: s.p, kind: kDot, content: name})
	switch {
	case l.end == crashed:
		return message.Receipt{}, errCut
	case l.end != proceed, l.fault == DropBeforeDot:
		return message.Receipt{}, sendError(message.FaultTemporary, 0, "connection lost before the dot")
	case l.fault == smtp4xx+Fault(verbDot):
		return message.Receipt{}, sendError(message.FaultTemporary, 451, "try later")
	case l.fault == smtp5xx+Fault(verbDot):
		return message.Receipt{}, sendError(message.FaultPermanent, 550, "no")
	case l.fault == DropAfterDot:
		return message.Receipt{}, sendError(message.FaultUnknown, 0, "connection lost after the dot")
	}
	s.w.truth.copied(t)
	return s.reply(ctx, t, name, l.fault)
}

// reply is the way of the 250.
func (s *sender) reply(ctx context.Context, t *try, name string, f Fault) (message.Receipt, error) {
	c := &call{proc: s.p, kind: kReply, content: name}
	switch f {
	case DropAfterDotAccepted:
		s.w.truth.unheard(t, false)
		return message.Receipt{}, sendError(message.FaultUnknown, 0, "connection lost after the dot")
	case Lost250:
		c.after = time.Now().Add(45 * time.Second)
	case RelayHostSlow:
		c.after = time.Now().Add(lease + 15*time.Second)
	}
	l := s.w.park(ctx, c)
	switch {
	case l.end == crashed:
		return message.Receipt{}, errCut
	case l.end != proceed || f == Lost250:
		s.w.truth.unheard(t, l.end == expired)
		return message.Receipt{}, sendError(message.FaultUnknown, 0, "no reply to the dot")
	}
	return message.Receipt{RelayHost: hostName, Code: 250, Text: "ok"}, nil
}

var errHostDown = errors.New("simulated relay host: connection refused")

// Probe implements the worker's Sender.
func (s *sender) Probe(ctx context.Context) error {
	if l := s.w.park(ctx, &call{proc: s.p, kind: kProbe}); l.end != proceed {
		return errCut
	}
	if s.w.host.down() {
		return errHostDown
	}
	return nil
}
