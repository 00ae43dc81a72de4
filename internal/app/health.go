package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/rabbitmq"
)

// oldestAllowed is how long a due delivery may wait for the broker before that
// is worth waking somebody for.
const oldestAllowed = 30 * time.Second

// health asks every part that this program stands on.
type health struct{ a *assembly }

func (a *assembly) health() httpapi.Health { return health{a} }

// Check implements httpapi.Health.
func (h health) Check(ctx context.Context) []httpapi.Check {
	checks := []httpapi.Check{h.database(ctx)}
	if h.a.broker != nil {
		checks = append(checks, h.broker()...)
	}
	if h.a.serving != nil {
		checks = append(checks, h.outbox(ctx))
	}
	if h.a.worker != nil {
		checks = append(checks, h.relayHost())
	}
	return checks
}

func (h health) database(ctx context.Context) httpapi.Check {
	if err := h.a.store.Ping(ctx); err != nil {
		return httpapi.Check{
			Name: "database", Status: httpapi.CheckDown, Detail: "does not answer",
			Remedy: "start it, or check POSTRIDER_DATABASE_URL; what was accepted is safe, and nothing is accepted meanwhile",
		}
	}
	return httpapi.Check{Name: "database", Status: httpapi.CheckOK}
}

// broker judges the links by what they are for: without one a producer still
// accepts, a consumer can do nothing.
func (h health) broker() []httpapi.Check {
	state := h.a.broker.State()
	var checks []httpapi.Check
	if state.Publisher.Enabled {
		checks = append(checks, link("rabbitmq publisher", state.Publisher, httpapi.CheckDegraded))
	}
	if state.Consumer.Enabled {
		severity := httpapi.CheckDown
		if h.a.serving != nil {
			severity = httpapi.CheckDegraded
		}
		checks = append(checks, link("rabbitmq consumer", state.Consumer, severity))
	}
	return checks
}

func link(name string, s rabbitmq.LinkState, severity httpapi.CheckStatus) httpapi.Check {
	c := httpapi.Check{Name: name, Status: severity, Remedy: "mail waits in the database and goes on by itself once the broker is back; check POSTRIDER_RABBITMQ_URL"}
	switch {
	case s.Ready():
		return httpapi.Check{Name: name, Status: httpapi.CheckOK}
	case len(s.Faults) > 0:
		c.Detail, c.Remedy = strings.Join(s.Faults, "; "), ""
	case s.Blocked != "":
		c.Detail, c.Remedy = "the broker takes nothing: "+s.Blocked, "free memory or disk on the broker"
	default:
		c.Detail = "not connected to " + s.Server
	}
	return c
}

func (h health) outbox(ctx context.Context) httpapi.Check {
	c := httpapi.Check{Name: "outbox", Status: httpapi.CheckOK}
	lanes, err := h.a.store.Backlog(ctx)
	if err != nil {
		return httpapi.Check{Name: "outbox", Status: httpapi.CheckDegraded, Detail: "cannot be looked at"}
	}
	for _, l := range lanes {
		if l.OldestDue > oldestAllowed {
			c.Status = httpapi.CheckDegraded
			c.Detail = fmt.Sprintf("mail of the lane %s has waited %v for the broker", l.Lane, l.OldestDue.Round(time.Second))
			c.Remedy = "see the checks of the broker, and start consumers for that lane"
		}
	}
	return c
}

func (h health) relayHost() httpapi.Check {
	c := httpapi.Check{Name: "relay host", Status: httpapi.CheckOK}
	if err := h.a.worker.RelayHost(); err != nil {
		c.Status, c.Detail = httpapi.CheckDegraded, err.Error()
		c.Remedy = "check POSTRIDER_SMTP_URL and the relay host; no mail is charged a try, and sending goes on by itself"
	}
	return c
}
