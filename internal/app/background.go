package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/httpserver"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/store"
)

const firstContact = 30 * time.Second

// prepareTables waits for the database, brings the tables up to date where the
// settings say so, and refuses to run on others than this build knows.
func (a *assembly) prepareTables(ctx context.Context) error {
	if err := awaitDatabase(ctx, a.log, a.store); err != nil {
		return err
	}
	if a.migrate {
		if err := a.store.Migrate(ctx); err != nil {
			return err
		}
	}
	if err := a.store.Pending(ctx); err != nil {
		return err
	}
	if a.serving == nil {
		return nil
	}
	var err error
	a.given, err = tenantKeys(ctx, a.store, a.serving.APIKeys)
	return err
}

// awaitDatabase gives a database that is started beside this program some time.
func awaitDatabase(ctx context.Context, log *slog.Logger, s *store.Store) error {
	waiting, cancel := context.WithTimeout(ctx, firstContact)
	defer cancel()
	backoff := pause.Backoff{First: 100 * time.Millisecond, Most: 2 * time.Second}
	for {
		err := s.Ping(waiting)
		if err == nil || !errors.Is(err, message.ErrUnavailable) {
			return err
		}
		log.Warn("database not there yet", "error", err)
		if backoff.Wait(waiting) != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("stopped while waiting for the database: %w", context.Cause(ctx))
			}
			return fmt.Errorf("no database within %v: %w; check POSTRIDER_DATABASE_URL and that the server runs", firstContact, err)
		}
	}
}

// tenantKeys gives each key the number of its tenant; new tenants get one.
func tenantKeys(ctx context.Context, s *store.Store, keys config.APIKeys) (map[string]int64, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Tenant
	}
	ids, err := s.EnsureTenants(ctx, names)
	if err != nil {
		return nil, err
	}
	byKey := map[string]int64{}
	for _, k := range keys {
		byKey[k.Key.Reveal()] = ids[k.Tenant]
	}
	return byKey, nil
}

// serveMetrics makes the server of /metrics, /healthz and /readyz.
func (a *assembly) serveMetrics(context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/", httpapi.Probes(a.watch))
	mux.Handle("GET /metrics", a.metrics.Handler())
	server := httpserver.New(httpserver.Config{Addr: a.plan.metrics.Listen.String(), Log: a.log}, mux)
	a.add(part{
		name: "metrics",
		start: func(ctx context.Context) error {
			if err := server.Start(ctx); err != nil {
				return fmt.Errorf("POSTRIDER_METRICS_LISTEN: %w; choose another address", err)
			}
			return nil
		},
		stop: server.Stop,
	})
	a.addrs["metrics"] = server.Addr
	return nil
}

// keepWatch looks at every part from now on, and keeps this process in the
// table of workers. It is added last, so that the word "draining" is the first
// thing a stop does.
func (a *assembly) keepWatch(context.Context) error {
	a.add(part{
		name:  "watch",
		start: noError(a.watch.start),
		stop: func(ctx context.Context) error {
			a.watch.stop()
			a.say(ctx, "draining")
			return nil
		},
	})
	return nil
}

// say notes a state for people who look at the table of workers; nothing
// depends on it.
func (a *assembly) say(ctx context.Context, state string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.beat(ctx, state); err != nil {
		a.log.Debug("state not written", "state", state, "error", err)
	}
}

// beat writes this process's line in the table of workers.
func (a *assembly) beat(ctx context.Context, state string) error {
	p := a.process
	p.State = state
	return a.store.Heartbeat(ctx, p)
}

// wakeful wakes the relay after a caller has put deliveries back into the
// outbox.
type wakeful struct {
	*store.Store
	relay *relay.Relay
}

func (w wakeful) wake(n int, err error) (int, error) {
	if n > 0 && err == nil {
		for _, lane := range message.Lanes() {
			w.relay.Wake(lane)
		}
	}
	return n, err
}

// Retry implements httpapi.Emails.
func (w wakeful) Retry(ctx context.Context, tenant int64, id uuid.UUID) (int, error) {
	return w.wake(w.Store.Retry(ctx, tenant, id))
}

// Reschedule implements httpapi.Rescheduler.
func (w wakeful) Reschedule(ctx context.Context, tenant int64, id uuid.UUID, at time.Time) (int, error) {
	return w.wake(w.Store.Reschedule(ctx, tenant, id, at))
}
