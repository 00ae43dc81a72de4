package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/httpserver"
	"github.com/postrider/postrider/internal/inproc"
	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/mailcatch"
	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/rabbitmq"
	"github.com/postrider/postrider/internal/relay"
	"github.com/postrider/postrider/internal/retention"
	"github.com/postrider/postrider/internal/standin"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/template"
	"github.com/postrider/postrider/internal/worker"
)

// queue is both ends of a queue.
type queue interface {
	relay.Queue
	worker.Queue
}

// assembly is an app in the making.
type assembly struct {
	*App
	plan
	process message.Process
	metrics *metrics.Metrics
	store   *store.Store
	queue   queue
	broker  *rabbitmq.Queue // nil: the queue is in this process
	relay   *relay.Relay
	accept  *accept.Service
	batches *accept.Batches
	worker  *worker.Worker
	inbox   *mailcatch.Inbox
	keys    *keys.Keyring
	given   map[string]int64       // the keys of the settings, by tenant; once the tables exist
	places  map[string]blobs.Place // by the name written down with what is there
	blobs   *observedBlobs

	watch    *watch
	observed *observations

	templates *template.Service
}

// assemble makes every part of the plan. Nothing runs before Start; what was
// opened on the way is closed again when a part cannot be made.
func assemble(ctx context.Context, log *slog.Logger, p plan) (*App, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	a := &assembly{
		App: newApp(log), plan: p, metrics: metrics.New(p.build.Version, log),
		process: message.Process{
			ID: uuid.New(), Program: p.build.Program, Host: host, PID: os.Getpid(), Version: p.build.Version, State: "running",
		},
	}
	announce(log.With("worker_id", a.process.ID), p.build, p.settings)
	a.watch, a.observed = newWatch(log, a.metrics), newObservations()
	for _, step := range []func(context.Context) error{
		a.openPlaces, a.openStore, a.makeBlobs, a.openQueue, a.makeInbox, a.sendOut, a.holdKeys,
		a.takeIn, a.takeInEnqueued, a.serveAPI, a.serveMetrics, a.keepWatch,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.Stop(ctx))
		}
	}
	return a.App, nil
}

func (a *assembly) openStore(ctx context.Context) error {
	dsn := a.database.URL.DSN()
	if err := makeFolder(dsn); err != nil {
		return err
	}
	c := store.Config{URL: dsn, Worker: a.process, MaxConns: a.database.Conns, Logger: a.log}
	if a.sending != nil {
		c.Lease, c.Marking = a.sending.Lease, message.Marking(a.sending.Mark)
	}
	s, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	a.store = s
	a.opened("database", s.Close)
	a.add(part{name: "tables", start: a.prepareTables, stop: func(ctx context.Context) error {
		a.say(ctx, "stopped") // nothing else of this process runs any more
		return nil
	}})
	a.lookAtFiles(openNothing)
	a.lookAtDatabase()
	return nil
}

// makeFolder makes the folder of a database file, readable by nobody else: what
// is in it are people's mails.
func makeFolder(dsn string) error {
	file, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of the database file: %w; set POSTRIDER_DATABASE_URL=sqlite:FILE to a place that can be written", err)
	}
	return nil
}

func (a *assembly) openQueue(context.Context) error {
	if !a.rabbitmq.URL.Set() {
		q := inproc.New(inproc.Config{Logger: a.log})
		a.queue = q
		a.add(part{name: "queue", start: a.repairAtStart, stop: q.Stop})
		return nil
	}
	q, err := rabbitmq.New(rabbitmq.Config{
		URLs: a.rabbitmq.URL.All(), Prefix: a.rabbitmq.Prefix, QueueType: rabbitmq.QueueType(a.plan.queue.Type),
		Parcel: a.plan.queue.Parcel, Roles: a.roles(), Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.queue, a.broker = q, q
	a.metrics.WatchConnection("rabbitmq_publisher", func() bool { return q.State().Publisher.Connected })
	a.metrics.WatchConnection("rabbitmq_consumer", func() bool { return q.State().Consumer.Connected })
	a.lookAtBroker()
	a.add(part{name: "rabbitmq", start: q.Start, stop: q.Stop})
	return nil
}

func (a *assembly) roles() []rabbitmq.Role {
	var roles []rabbitmq.Role
	if a.serving != nil {
		roles = append(roles, rabbitmq.Publisher)
	}
	if a.sending != nil {
		roles = append(roles, rabbitmq.Consumer)
	}
	return roles
}

// repairAtStart publishes again what a queue that forgets has forgotten. A
// database file has one process, so whatever is being sent there is not.
func (a *assembly) repairAtStart(ctx context.Context) error {
	n, err := a.store.RepairAll(ctx, a.database.URL.Engine() == config.SQLite)
	if n > 0 {
		a.log.Info("took up again what the last run left", "deliveries", n)
	}
	return err
}

func (a *assembly) makeInbox(context.Context) error {
	if a.plan.inbox == nil {
		return nil
	}
	a.inbox = mailcatch.New(mailcatch.Config{
		SMTPListen: a.plan.inbox.SMTPListen.String(), HTTPListen: a.plan.inbox.Listen.String(), Logger: a.log,
	})
	a.add(part{name: "inbox", start: a.inbox.Start, stop: a.inbox.Stop})
	a.addrs["inbox"], a.addrs["inbox-smtp"] = a.inbox.HTTPAddr, a.inbox.SMTPAddr
	return nil
}

// sendOut makes the sender and the workers.
func (a *assembly) sendOut(context.Context) error {
	if a.sending == nil {
		return nil
	}
	m, err := mailer.New(mailer.Config{
		URL: a.relayHost().Reveal(), HelloName: string(a.sending.HelloName), SendTimeout: a.sending.SendTimeout,
		ReplyTimeout: a.sending.ReplyTimeout, MaxIdle: a.sending.Consumers.Total(), Logger: a.log,
		OpenBlob: a.blobs.Open,
	})
	if err != nil {
		return err
	}
	a.add(part{name: "sessions", stop: m.Stop})
	batched := worker.NewBatched(a.metrics.WorkerStore(observedWork{a.store, a.observed}))
	a.add(part{name: "records", start: noError(batched.Start), stop: batched.Stop})
	a.worker = worker.New(worker.Config{
		ID: a.process.ID, Channels: a.sending.Consumers, Lease: a.sending.Lease,
		Schedule: message.Schedule{Window: a.sending.RetryWindow}, Logger: a.log,
		Store: batched, DeadLetters: a.metrics.DeadLetters(observedDeadLetters{a.store, a.observed}), Queue: a.queue,
		Sender: a.metrics.Sender(observedSender{standin.New(m), a.observed}),
	})
	a.lookAtSending()
	a.metrics.WatchConnection("relay_host", func() bool { return a.worker.RelayHost() == nil })
	a.add(part{name: "workers", start: noError(a.worker.Start), drain: a.worker.Drain, stop: a.worker.Stop})
	return nil
}

// relayHost is the server that takes the mail: the inbox where no other is
// configured.
func (a *assembly) relayHost() config.SMTPURL {
	if a.smtp.URL.Set() {
		return a.smtp.URL
	}
	return config.Plain(a.plan.inbox.SMTPListen)
}

// holdKeys makes the keyring. The keys of the settings are known at start, when
// their tenants have numbers.
func (a *assembly) holdKeys(context.Context) error {
	if a.serving == nil {
		return nil
	}
	a.keys = keys.New(keys.Config{Finder: a.store, Counter: a.store, Log: a.log})
	a.add(part{name: "keys", start: func(context.Context) error { a.keys.Start(a.given); return nil }, stop: a.keys.Stop})
	return nil
}

// takeIn makes the relay, the sweep and the use case of accepting.
func (a *assembly) takeIn(context.Context) error {
	if a.serving == nil {
		return nil
	}
	a.relay = relay.New(relay.Config{
		Store: observedOutbox{a.store, a.observed}, Queue: a.metrics.RelayQueue(observedQueue{a.queue, a.observed}), Logger: a.log,
	})
	a.add(part{name: "relay", start: noError(a.relay.Start), stop: a.relay.Stop})
	s := sweep.New(sweep.Config{
		Store: a.metrics.SweepStore(observedSweep{a.store, a.observed}), Queue: a.queue, Logger: a.log,
		Interval: a.repair.SweepInterval, Wake: a.relay.Wake,
	})
	a.add(part{name: "sweep", start: noError(s.Start), stop: s.Stop})
	a.deleteOld()
	a.templates = template.New(a.store, a.store)
	a.accept = accept.New(a.metrics.AcceptStore(observedAccept{a.store, a.observed}), message.DefaultLimits(), a.relay.Wake, time.Now,
		append(a.acceptOptions(), accept.WithGuard(a.metrics.Keys(a.keys)), accept.WithTemplates(a.templates))...)
	a.batches = accept.NewBatches(a.metrics.BatchStore(observedBatches{a.store, a.observed}), a.accept)
	a.add(part{name: "accept", start: noError(a.accept.Start), stop: a.accept.Stop})
	a.metrics.WatchOutbox(a.store)
	a.lookAtServing()
	return nil
}

// deleteOld makes what deletes messages, where they are not kept for ever.
func (a *assembly) deleteOld() {
	keep := a.keeping.Retention.Keep()
	if keep == 0 {
		return
	}
	r := retention.New(retention.Config{Store: a.metrics.RetentionStore(observedRetention{a.store, a.observed}), Keep: keep, Logger: a.log})
	a.add(part{name: "retention", start: noError(r.Start), stop: r.Stop})
	a.lookAtWork("retention", httpapi.CheckDegraded, []string{causeDatabase, causeRefused}, a.observed.purging)
}

// serveAPI makes the HTTP API.
func (a *assembly) serveAPI(context.Context) error {
	if a.serving == nil {
		return nil
	}
	var serving atomic.Pointer[httpserver.Server] // nil until the start
	a.add(part{
		name: "http",
		start: func(ctx context.Context) error {
			handler, err := httpapi.New(httpapi.Config{
				Limits: message.DefaultLimits(), PublicURL: a.serving.PublicURL.String(), Version: a.build.Version, Log: a.log,
			}, httpapi.Ports{
				Accept: a.accept, Check: a.accept, Batches: a.batches, Emails: wakeful{a.store, a.relay}, Contents: a.store,
				OpenBlob: a.blobs.Open, Files: a.store, FileBytes: blobs.NewReader(a.store, a.blobs.Open), Secrets: a.store,
				Schedule: wakeful{a.store, a.relay}, Health: a.watch,
				Keys: a.metrics.Keys(a.keys), Manager: keys.NewManager(a.store, time.Now), Tenants: a.store,
				Templates: a.templates, Editor: a.templates,
			})
			if err != nil {
				return err
			}
			server := httpserver.New(httpserver.Config{Addr: a.serving.Listen.String(), Log: a.log}, handler)
			if err := server.Start(ctx); err != nil {
				return fmt.Errorf("POSTRIDER_LISTEN: %w; choose another address", err)
			}
			serving.Store(server)
			a.log.Info("listening", "part", "http", "addr", server.Addr())
			return nil
		},
		stop: func(ctx context.Context) error { return serving.Load().Stop(ctx) },
	})
	a.addrs["http"] = func() string {
		if server := serving.Load(); server != nil {
			return server.Addr()
		}
		return ""
	}
	return nil
}

func noError(start func()) func(context.Context) error {
	return func(context.Context) error {
		start()
		return nil
	}
}
