package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/rabbitmq"
)

// The causes of faults: the words of /readyz, metrics and log for what is wrong.
const (
	causeAway        = "away"         // it does not answer
	causeTimeout     = "timeout"      // it does not answer in time
	causeUnwritable  = "unwritable"   // it answers, and takes no writes
	causeRefused     = "refused"      // it answers, and would not have us
	causeBlocked     = "blocked"      // the broker takes nothing: memory or disk
	causeTopology    = "topology"     // a queue cannot be used as it is
	causeWaiting     = "waiting"      // due mail waits for the broker
	causeUnreadable  = "unreadable"   // a table cannot be read
	causeUnclaimed   = "unclaimed"    // the queue has mail that no worker takes
	causeNoConsumers = "no_consumers" // the same, and nobody consumes there
	causeDatabase    = "database"     // work fails for the database
	causeBroker      = "broker"       // work fails for the broker
	causeUnroutable  = "unroutable"   // the queue is missing
	causeUnconfirmed = "unconfirmed"  // the queue refuses, or does not confirm
	causeTLS         = "tls"
	causeLogin       = "login"
	causeSlow        = "slow"
	causeSkew        = "skew" // clocks differ
	causeStep        = "step" // a clock stepped
	causeLeases      = "leases"
	causeLostCopies  = "lost_copies"
	causeUnknown     = "unknown"
	causeDeadLetters = "dead_letters"
	causeExhausted   = "exhausted" // no file or connection can be opened
	causePlace       = "place"     // attachments are where this process was not told of
)

// patience is for how long mail may wait, or a send may take, until that is
// worth waking somebody for.
const patience = 30 * time.Second

func (a *assembly) lookAtDatabase() {
	d := &database{a: a}
	a.watch.add(check{part: "database", causes: []string{causeAway, causeTimeout, causeRefused, causeUnwritable}, look: d.look})
	c := &clocks{read: a.store.Clock}
	a.watch.add(check{part: "clock", causes: []string{causeSkew, causeStep}, look: c.look})
}

// lookAtServing is for programs that take mail in. Where the database is away for
// commits nothing is accepted; what else fails leaves mail waiting, or is the
// fault of one caller's message, which must not take the program from the others.
func (a *assembly) lookAtServing() {
	o := a.observed
	byDatabase := []string{causeDatabase, causeRefused}
	a.lookAtMail()
	a.lookAtWork("accept", httpapi.CheckDown, byDatabase, o.accepting)
	a.lookAtWork("relay", httpapi.CheckDegraded, append([]string{causeBroker, causeUnroutable, causeUnconfirmed}, byDatabase...), o.dispatching, o.publishing)
	a.lookAtWork("sweep", httpapi.CheckDegraded, byDatabase, o.sweeping)
	a.lookAtRecurring("repairs", "workers or copies were lost",
		"look why: consumers that crash, are killed or stall (memory, CPU, the log of the last one), or a broker that loses what it confirmed; the mail is sent all the same",
		o.repairs, causeLeases, causeLostCopies)
}

// lookAtSending is for programs with workers.
func (a *assembly) lookAtSending() {
	o := a.observed
	a.lookAtRelayHost()
	a.lookAtProgress()
	a.lookAtWork("workers", httpapi.CheckDegraded, []string{causeDatabase, causeRefused}, o.working)
	a.lookAtRecurring("outcomes", "replies to the final dot were missing",
		"look in the relay host's log what became of these mails; some may go out twice, and those with on_unknown hold rest in the status unknown",
		o.unknown, causeUnknown)
	a.lookAtRecurring("dead letters", "copies that are no work have come",
		"see the table dead_letters for what they are, and look who else publishes to these queues", o.buried, causeDeadLetters)
}

// lookAtFiles watches over whether the process may open any more: at its limit
// callers are not answered, and every other part seems to be away.
func (a *assembly) lookAtFiles(open func() error) {
	a.watch.add(check{part: "files", causes: []string{causeExhausted}, look: func(context.Context) *fault {
		err := open()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
			return nil
		}
		return &fault{
			status: httpapi.CheckDegraded, cause: causeExhausted, detail: "no file and no connection can be opened", err: err,
			remedy: "raise the limit of open files (ulimit -n, LimitNOFILE), or lower POSTRIDER_CONSUMERS; callers who get no answer repeat with their key",
		}
	}})
}

func openNothing() error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	return f.Close()
}

// lookAtBroker judges the links by what they are for: without one a producer
// still accepts, a consumer can do nothing.
func (a *assembly) lookAtBroker() {
	causes := []string{causeAway, causeRefused, causeTopology, causeBlocked}
	add := func(name string, severity httpapi.CheckStatus, state func() rabbitmq.LinkState) {
		if state().Enabled {
			a.watch.add(check{part: name, causes: causes, look: func(context.Context) *fault { return linkFault(state(), severity) }})
		}
	}
	severity := httpapi.CheckDown
	if a.serving != nil {
		severity = httpapi.CheckDegraded
	}
	add("rabbitmq publisher", httpapi.CheckDegraded, func() rabbitmq.LinkState { return a.broker.State().Publisher })
	add("rabbitmq consumer", severity, func() rabbitmq.LinkState { return a.broker.State().Consumer })
}

func linkFault(s rabbitmq.LinkState, severity httpapi.CheckStatus) *fault {
	f := &fault{
		status: severity, cause: causeAway, detail: "not connected to " + s.Server, err: errors.New(s.LastError),
		remedy: "mail waits in the database and goes on by itself once the broker is back; check POSTRIDER_RABBITMQ_URL",
	}
	switch {
	case s.Ready():
		return nil
	case len(s.Faults) > 0:
		f.cause, f.detail, f.err = causeTopology, strings.Join(s.Faults, "; "), nil
		f.remedy = "do what is said there; mail waits in the database and goes on by itself then"
	case s.Blocked != "":
		f.cause, f.detail, f.err = causeBlocked, "the broker takes nothing: "+s.Blocked, nil
		f.remedy = "free memory or disk on the broker; mail waits in the database meanwhile"
	case s.Since.IsZero():
		f.cause = causeStarting
	case s.Refused:
		f.cause, f.detail = causeRefused, s.Server+" refuses us: the log has its words"
		f.remedy = "check user, password and virtual host in POSTRIDER_RABBITMQ_URL, and give that user permission there; mail waits in the database"
	}
	return f
}

// backlogs asks for the backlog once for all who look at the same moment.
type backlogs struct {
	ask func(context.Context) ([]message.Backlog, error)

	mu    sync.Mutex
	at    time.Time
	lanes []message.Backlog
	err   error
}

func (b *backlogs) get(ctx context.Context) ([]message.Backlog, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() || time.Since(b.at) > watchLimit/10 {
		b.lanes, b.err = b.ask(ctx)
		b.at = time.Now()
	}
	return b.lanes, b.err
}

// lookAtMail watches over what waits: in the outbox for the broker, and in the
// queue for a worker.
func (a *assembly) lookAtMail() {
	backlog := &backlogs{ask: a.store.Backlog}
	a.watch.add(check{part: "outbox", causes: []string{causeWaiting, causeUnreadable}, look: func(ctx context.Context) *fault {
		return outboxFault(backlog.get(ctx))
	}})
	a.watch.add(check{part: "queue", causes: []string{causeUnclaimed, causeNoConsumers}, look: func(ctx context.Context) *fault {
		lanes, err := backlog.get(ctx)
		if err != nil {
			return nil // the check of the outbox says so
		}
		return a.queueFault(ctx, lanes)
	}})
}

func outboxFault(lanes []message.Backlog, err error) *fault {
	if err != nil {
		return &fault{
			status: httpapi.CheckDegraded, cause: causeUnreadable, detail: "cannot be looked at", err: err,
			remedy: "see the check of the database; if that is well, look for who holds a lock on the tables outbox and deliveries",
		}
	}
	for _, l := range lanes {
		if l.OldestDue > patience {
			return &fault{
				status: httpapi.CheckDegraded, cause: causeWaiting,
				detail: fmt.Sprintf("mail of the lane %s has waited %v for the broker", l.Lane, l.OldestDue.Round(time.Second)),
				remedy: "see the checks of the broker and of the relay; where they are well, workers are too few for the mail: start more consumers",
			}
		}
	}
	return nil
}

// queueFault finds a lane whose mail nobody takes. Retries leave the queue
// and come back later, so what stands in it for long has met no worker at all.
func (a *assembly) queueFault(ctx context.Context, lanes []message.Backlog) *fault {
	for _, l := range lanes {
		if l.OldestUnclaimed <= patience {
			continue
		}
		f := &fault{
			status: httpapi.CheckDegraded, cause: causeUnclaimed,
			detail: fmt.Sprintf("mail of the lane %s has waited %v in the queue for a worker", l.Lane, l.OldestUnclaimed.Round(time.Second)),
			remedy: "its workers are too few, or stuck: see /readyz of the consumers, start more of them, or raise POSTRIDER_CONSUMERS for that lane",
		}
		if a.broker == nil {
			return f
		}
		if n, err := a.broker.Consumers(ctx, l.Lane); err == nil && n == 0 {
			f.cause, f.detail = causeNoConsumers, f.detail+"; nobody consumes there"
			f.remedy = "start a consumer whose POSTRIDER_CONSUMERS names that lane; one that runs pauses while its relay host takes no mail, see its /readyz"
		}
		return f
	}
	return nil
}

func (a *assembly) lookAtRelayHost() {
	causes := []string{causeAway, causeTLS, causeLogin, causeRefused}
	a.watch.add(check{part: "relay host", causes: causes, look: func(context.Context) *fault { return relayHostFault(a.worker.RelayHost()) }})
}

// lookAtProgress watches over whether tries end: a relay host can take mail, and
// that so slowly that every worker waits for it.
func (a *assembly) lookAtProgress() {
	a.watch.add(check{part: "sending", causes: []string{causeSlow}, look: func(context.Context) *fault {
		since, n := a.observed.sending.stuck()
		if since < patience {
			return nil
		}
		return &fault{
			status: httpapi.CheckDegraded, cause: causeSlow,
			detail: fmt.Sprintf("no try has ended for %v, and %d are going on", since.Round(time.Second), n),
			remedy: "the relay host answers slowly: look at its load and at the network to it; each try ends by itself after POSTRIDER_SEND_TIMEOUT and POSTRIDER_REPLY_TIMEOUT at the latest",
		}
	}})
}

func relayHostFault(err error) *fault {
	if err == nil {
		return nil
	}
	f := &fault{
		status: httpapi.CheckDegraded, cause: causeAway, detail: err.Error(),
		remedy: "check POSTRIDER_SMTP_URL and the relay host; no mail is charged a try, and sending goes on by itself",
	}
	e, ok := errors.AsType[*message.SendError](err)
	switch {
	case !ok:
	case e.Stage == "STARTTLS":
		f.cause = causeTLS
		f.remedy = "mend the relay host's certificate, name or TLS version, or say tls=none in POSTRIDER_SMTP_URL if that is wanted; nothing is sent in the clear until then"
	case e.Stage == "AUTH":
		f.cause = causeLogin
		f.remedy = "correct user and password in POSTRIDER_SMTP_URL and restart, or allow them at the relay host; no mail is charged a try"
	case e.Code != 0:
		f.cause = causeRefused
		f.remedy = "ask the relay host's operator what its words mean for this client; no mail is charged a try, and sending goes on by itself"
	}
	return f
}

// lookAtWork adds a check of work that does nothing but fail; severe is what it
// means that it fails for want of the database.
func (a *assembly) lookAtWork(part string, severe httpapi.CheckStatus, causes []string, sets ...*streaks) {
	a.watch.add(check{part: part, causes: causes, look: func(context.Context) *fault {
		for _, set := range sets {
			if kind, lasted, err := set.longest(); lasted > 0 {
				return workFault(kind, lasted, err, severe)
			}
		}
		return nil
	}})
}

func workFault(kind string, lasted time.Duration, err error, severe httpapi.CheckStatus) *fault {
	f := &fault{
		status: httpapi.CheckDegraded, cause: causeRefused, err: err,
		detail: fmt.Sprintf("every try to %s has failed for %v", kind, lasted.Round(time.Second)),
		remedy: "the error in the log says what the database refuses; check the rights of its user and run postrider migrate",
	}
	switch {
	case errors.Is(err, message.ErrUnroutable):
		f.cause, f.remedy = causeUnroutable, "the queue is missing and cannot be declared: see the check of the broker"
	case errors.Is(err, message.ErrNotConfirmed):
		f.cause = causeUnconfirmed
		f.remedy = "look at the queue for a policy with max-length, a majority of nodes that is away, or a queue that was deleted; mail waits in the database"
	case strings.HasPrefix(kind, publishKind):
		f.cause, f.remedy = causeBroker, "see the check of the broker; mail waits in the database"
	case errors.Is(err, message.ErrUnavailable):
		f.status, f.cause = severe, causeDatabase
		f.remedy = "see the check of the database; if that is well, look for locks on its tables, and whether it is overloaded"
	}
	return f
}

// lookAtRecurring adds a check of what heals by itself each time, and goes on.
func (a *assembly) lookAtRecurring(part, what, remedy string, set *streaks, causes ...string) {
	a.watch.add(check{part: part, causes: causes, look: func(context.Context) *fault {
		kind, lasted, err := set.longest()
		if lasted == 0 {
			return nil
		}
		cause := cmp.Or(kind, causes[0])
		if len(causes) == 1 {
			cause = causes[0]
		}
		return &fault{
			status: httpapi.CheckDegraded, cause: cause, err: err,
			detail: fmt.Sprintf("%s for %v, again and again", what, lasted.Round(time.Second)), remedy: remedy,
		}
	}})
}
