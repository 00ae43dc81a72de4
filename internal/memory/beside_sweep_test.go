package memory_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
)

// The calls of sweeps, of callers who change their minds, and of readers.

func (p *pair) rows(guard func(*message.Delivery) bool, by func(*message.Delivery) time.Time) []time.Time {
	p.db.Snapshot(&p.seen)
	var times []time.Time
	for i := range p.seen.Deliveries {
		if d := &p.seen.Deliveries[i]; guard(d) {
			times = append(times, by(d))
		}
	}
	return times
}

func (p *pair) sweepLeases() call {
	limit := p.limit(p.rows(
		func(d *message.Delivery) bool { return d.Status == message.StatusSending },
		func(d *message.Delivery) time.Time { return d.LeaseUntil }))
	asOf := p.clock.Now().Add(part)
	if p.pick(4, "old") == 0 { // the look at the clock was a while ago
		asOf = asOf.Add(-grid)
	}
	return call{fmt.Sprintf("sweep %d leases as of %v", limit, asOf), func(ctx context.Context, s conformance.StorePorts) any {
		swept, err := s.SweepLeases(ctx, asOf, limit, 0)
		return counted{swept, class(err)}
	}}
}

func (p *pair) sweepLost() call {
	lane := p.lane()
	limit := p.limit(p.rows(
		func(d *message.Delivery) bool {
			return d.Status == message.StatusQueued && d.Lane == lane && !d.PublishedAt.IsZero()
		},
		func(d *message.Delivery) time.Time { return d.PublishedAt }))
	var empty time.Time
	if p.pick(2, "seen empty") == 1 {
		empty = p.clock.Now().Add(part + time.Duration(1-p.pick(5, "ago"))*grid)
	}
	return call{fmt.Sprintf("sweep %d lost copies of %s, empty at %v", limit, lane, empty), func(ctx context.Context, s conformance.StorePorts) any {
		n, err := s.SweepLost(ctx, lane, empty, limit)
		return counted{n, class(err)}
	}}
}

func (p *pair) sweepExpired() call {
	limit := p.limit(p.rows(
		func(d *message.Delivery) bool { return d.Status == message.StatusQueued && !d.ExpiresAt.IsZero() },
		func(d *message.Delivery) time.Time { return d.ExpiresAt }))
	return call{fmt.Sprintf("sweep %d expired", limit), func(ctx context.Context, s conformance.StorePorts) any {
		n, err := s.SweepExpired(ctx, limit)
		return counted{n, class(err)}
	}}
}

// about is a message, most often a real one of the tenant.
func (p *pair) about() (int64, uuid.UUID) {
	if len(p.posted) == 0 || p.maybe(12, "unknown message") {
		return message.DefaultTenant, uuid.New()
	}
	return message.DefaultTenant, one(p, p.posted, "message").Message.ID
}

func (p *pair) steer(name string, steer func(context.Context, conformance.StorePorts, int64, uuid.UUID) (int, error)) call {
	tenant, id := p.about()
	return call{fmt.Sprintf("%s %v", name, id), func(ctx context.Context, s conformance.StorePorts) any {
		n, err := steer(ctx, s, tenant, id)
		return counted{n, class(err)}
	}}
}

func (p *pair) cancel() call {
	return p.steer("cancel", func(ctx context.Context, s conformance.StorePorts, tenant int64, id uuid.UUID) (int, error) {
		return s.Cancel(ctx, tenant, id)
	})
}

func (p *pair) retry() call {
	return p.steer("retry", func(ctx context.Context, s conformance.StorePorts, tenant int64, id uuid.UUID) (int, error) {
		return s.Retry(ctx, tenant, id)
	})
}

func (p *pair) reschedule() call {
	var at time.Time
	if n := p.pick(4, "to"); n > 0 {
		at = p.clock.Now().Add(time.Duration(n)*grid - 2*part)
	}
	return p.steer("reschedule", func(ctx context.Context, s conformance.StorePorts, tenant int64, id uuid.UUID) (int, error) {
		return s.Reschedule(ctx, tenant, id, at)
	})
}

func (p *pair) repair() call {
	sole := p.pick(2, "sole owner") == 1
	return call{fmt.Sprintf("repair, sole owner %v", sole), func(ctx context.Context, s conformance.StorePorts) any {
		n, err := s.RepairAll(ctx, sole)
		return counted{n, class(err)}
	}}
}

func (p *pair) read() call {
	tenant, id := p.about()
	return call{fmt.Sprintf("read %v", id), func(ctx context.Context, s conformance.StorePorts) any {
		view, err := s.Email(ctx, tenant, id)
		return counted{view, class(err)}
	}}
}

func (p *pair) list() call {
	f := message.Filter{TenantID: message.DefaultTenant, Limit: 1 + p.pick(4, "limit")}
	f.Status = one(p, []message.Status{
		"", message.StatusQueued, message.StatusSending, message.StatusSent, message.StatusFailed, message.StatusUnknown,
		message.StatusCanceled, message.StatusSuppressed, message.StatusScheduled, message.StatusDelayed,
	}, "status")
	_, id := p.about()
	switch p.pick(3, "cursor") {
	case 1:
		f.After = id
	case 2:
		f.Before = id
	}
	switch p.pick(8, "search") {
	case 0:
		f.Recipient = one(p, []string{"R0@example.com", "r1@example.com", "r2@example.com"}, "recipient")
	case 1:
		f.Subject = one(p, []string{"hello", "GRÜSSE", "k", "_", "%"}, "subject")
	case 2:
		f.Tag = one(p, []message.Tag{{Name: "kind"}, {Name: "kind", Value: "a"}, {Name: "Kind"}}, "tag")
	case 3:
		f.Lane = message.LaneHigh
	case 4:
		f.CreatedAfter = idTime(id)
	case 5:
		f.CreatedBefore = idTime(id)
	}
	return call{fmt.Sprintf("list %+v", f), func(ctx context.Context, s conformance.StorePorts) any {
		page, err := s.Emails(ctx, f)
		return counted{page, class(err)}
	}}
}

// idTime is when a UUIDv7 was made; of another id, some time.
func idTime(id uuid.UUID) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16))
}

func (p *pair) backlog() call {
	return call{"backlog", func(ctx context.Context, s conformance.StorePorts) any {
		all, err := s.Backlog(ctx)
		return counted{all, class(err)}
	}}
}

func (p *pair) tell() call {
	return call{"clock", func(ctx context.Context, s conformance.StorePorts) any {
		clock, err := s.Clock(ctx)
		return counted{clock.Now, class(err)}
	}}
}

func (p *pair) tenants() call {
	names := []string{"default", one(p, []string{"acme", "globex"}, "name")}
	return call{"tenants", func(ctx context.Context, s conformance.StorePorts) any {
		numbers, err := s.EnsureTenants(ctx, names)
		return counted{numbers, class(err)}
	}}
}
