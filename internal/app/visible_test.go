package app

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/rabbitmq"
	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
	"github.com/postrider/postrider/internal/sweep"
	"github.com/postrider/postrider/internal/worker"
)

func TestADatabaseThatTakesNoWritesIsVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	// What a full disk or a standby answers, without having one.
	execute(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE='53100'; END $$`)
	execute(t, db, `CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON workers EXECUTE FUNCTION refuse()`)
	r.sees("database", causeUnwritable, httpapi.CheckDown)
	execute(t, db, `DROP TRIGGER refuse ON workers`)
	r.heals("database")
}

func TestADatabaseThatDoesNotLetUsInIsNotTakenForOneThatIsAway(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*url.URL){
		"user":     func(u *url.URL) { u.User = url.UserPassword("nobody", "geheim") },
		"database": func(u *url.URL) { u.Path = "/nowhere" },
	} {
		u, err := url.Parse(storetest.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		s, err := store.Open(t.Context(), store.Config{URL: u.String()})
		if err != nil {
			t.Fatal(err)
		}
		if f := absence(t.Context(), s.Ping(t.Context()), 0); f.cause != causeRefused || f.status != httpapi.CheckDown || !strings.Contains(f.remedy, "POSTRIDER_DATABASE_URL") {
			t.Errorf("another %s: %+v", name, f)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAProcessThatHasEndedSaysSo(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	state := func() (word string) {
		if err := db.QueryRow(`SELECT state FROM workers`).Scan(&word); err != nil {
			return err.Error()
		}
		return word
	}
	r.until("it says that it runs", func() bool { _, _ = r.ready("database"); return state() == "running" })
	ctx, cancel := context.WithTimeout(context.Background(), seeing)
	defer cancel()
	if err := r.app.Stop(ctx); err != nil || state() != "stopped" {
		t.Errorf("after a stop (%v) its state is %q", err, state())
	}
}

func TestLockedTablesAreVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(`LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	stop := r.keepPosting()
	r.sees("outbox", causeUnreadable, httpapi.CheckDegraded)
	r.until("the relay is at fault", func() bool { c, _ := r.ready("relay"); return c.Cause == causeDatabase })
	r.sees("accept", causeDatabase, httpapi.CheckDown)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	r.heals("accept")
	r.heals("relay")
	r.heals("outbox")
	stop()
}

func TestACommitThatOnlyFailsIsVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	execute(t, db, `ALTER TABLE messages RENAME TO elsewhere`)
	stop := r.keepPosting()
	r.sees("accept", causeRefused, httpapi.CheckDegraded)
	execute(t, db, `ALTER TABLE elsewhere RENAME TO messages`)
	r.heals("accept")
	stop()
}

// keepPosting has a caller post until stop, which waits for it.
func (r *running) keepPosting() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause.Jittered(ctx, 200*time.Millisecond) == nil {
			_ = tryPost(r.T, r.app)
		}
	}()
	return func() { cancel(); <-done }
}

func TestWorkersThatCannotRecordAreVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	execute(t, db, `ALTER TABLE attempts RENAME TO elsewhere`)
	post(t, r.app)
	r.sees("workers", causeRefused, httpapi.CheckDegraded)
	execute(t, db, `ALTER TABLE elsewhere RENAME TO attempts`)
	r.heals("workers")
}

func TestARetentionThatCannotDeleteIsVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	execute(t, db, `ALTER TABLE dead_letters RENAME TO elsewhere`)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database, "POSTRIDER_RETENTION": "24h"})
	r.sees("retention", causeRefused, httpapi.CheckDegraded)
	execute(t, db, `ALTER TABLE elsewhere RENAME TO dead_letters`)
	r.heals("retention")
}

func TestABrokerThatRefusesUsIsVisible(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	database, _ := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database, "POSTRIDER_RABBITMQ_URL": b.url})
	r.until("the links are up", func() bool { _, code := r.ready("rabbitmq consumer"); return code == 200 })
	for _, c := range []struct {
		name, cause string
		harm, mend  func()
	}{
		{
			"the user may not use the virtual host", causeRefused,
			func() { b.call("DELETE", "/api/permissions/"+b.name+"/"+b.name, nil); b.hangUp() },
			func() { b.permit(".*") },
		},
		{
			"the password is another", causeRefused,
			func() {
				b.call("PUT", "/api/users/"+b.name, map[string]string{"password": "other", "tags": ""})
				b.hangUp()
			},
			func() {
				b.call("PUT", "/api/users/"+b.name, map[string]string{"password": "geheim", "tags": ""})
			},
		},
		{
			"the user may not use the queues", causeTopology,
			func() { b.permit("^other"); b.hangUp() },
			func() { b.permit(".*") },
		},
		{
			"the user may not read", causeTopology,
			func() {
				b.allow(map[string]string{"configure": ".*", "write": ".*", "read": "^postrider$"})
				b.hangUp()
			},
			func() { b.permit(".*") },
		},
		{
			"the virtual host is gone", causeRefused,
			func() { b.call("DELETE", "/api/vhosts/"+b.name, nil) },
			func() { b.call("PUT", "/api/vhosts/"+b.name, nil); b.permit(".*") },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.harm()
			for _, part := range []string{"rabbitmq publisher", "rabbitmq consumer"} {
				if c.name == "the user may not read" && part == "rabbitmq publisher" {
					continue // it need not
				}
				seen := r.sees(part, c.cause, httpapi.CheckDegraded)
				if strings.Contains(seen.Detail, "geheim") {
					t.Errorf("shows the password: %+v", seen)
				}
			}
			c.mend()
			r.heals("rabbitmq publisher")
			r.heals("rabbitmq consumer")
		})
	}
}

func TestAQueueThatRefusesCopiesIsVisible(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	database, _ := schema(t)
	// The queue is declared under it. Set afterwards, it was seen to refuse nothing within
	// a minute.
	policy := "/api/policies/" + b.name + "/tight"
	b.call("PUT", policy, map[string]any{"pattern": ".*normal", "definition": map[string]int{"max-length": 1}})
	r := runs(t, map[string]string{
		"POSTRIDER_DATABASE_URL": database, "POSTRIDER_RABBITMQ_URL": b.url, "POSTRIDER_CONSUMERS": "low:1",
	})
	r.until("a copy is refused", func() bool { // nobody consumes the lane normal
		post(t, r.app)
		return r.counts(`relay_returned_total{cause="unconfirmed"}`) > 0
	})
	r.sees("relay", causeUnconfirmed, httpapi.CheckDegraded)
	b.call("DELETE", policy, nil)
	r.heals("relay")
}

func TestALaneThatNobodyConsumesIsVisible(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	database, db := schema(t)
	r := runs(t, map[string]string{
		"POSTRIDER_DATABASE_URL": database, "POSTRIDER_RABBITMQ_URL": b.url, "POSTRIDER_CONSUMERS": "low:1",
	})
	post(t, r.app)
	backdate(r, db)
	r.sees("queue", causeNoConsumers, httpapi.CheckDegraded)
	if n := r.counts(`queue_oldest_unclaimed_seconds{lane="normal"}`); n < 30 {
		t.Errorf("waits %v s", n)
	}
	_ = runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database, "POSTRIDER_RABBITMQ_URL": b.url, "POSTRIDER_CONSUMERS": "normal:1"})
	r.heals("queue")
}

// backdate makes what is in the queue a minute older.
func backdate(r *running, db *sql.DB) {
	r.Helper()
	r.until("the mail is in the queue", func() bool {
		res, err := db.Exec(`UPDATE deliveries SET published_at=published_at-60000 WHERE published_at IS NOT NULL`)
		if err != nil {
			r.Fatal(err)
		}
		n, _ := res.RowsAffected()
		return n == 1
	})
}

func TestARelayHostThatTakesNoMailIsVisible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, cause, tls, user string
		script                 smtptest.Script
	}{
		{name: "nobody listens", cause: causeAway, tls: "none"},
		{name: "421", cause: causeRefused, tls: "none", script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Connect, Reply: "421 4.3.2 closed", End: smtptest.Hangup}}}},
		{name: "554", cause: causeRefused, tls: "none", script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Connect, Reply: "554 5.7.1 not you", End: smtptest.Hangup}}}},
		{name: "no STARTTLS", cause: causeTLS, tls: "required"},
		{name: "a certificate that nobody knows", cause: causeTLS, tls: "required", script: smtptest.Script{TLS: smtptest.OfferTLS, Cert: smtptest.Expired}},
		{name: "535", cause: causeLogin, tls: "none", user: "ann", script: smtptest.Script{Users: map[string]string{"ann": "other"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := smtptest.New(t, c.script)
			host := srv.URL(c.tls, c.user, "geheim")
			if c.name == "nobody listens" {
				srv.Close()
			}
			r := runs(t, map[string]string{"POSTRIDER_SMTP_URL": host})
			post(t, r.app)
			seen := r.sees("relay host", c.cause, httpapi.CheckDegraded)
			if strings.Contains(seen.Detail, "geheim") {
				t.Errorf("shows the password: %+v", seen)
			}
			listen := strings.TrimPrefix(strings.TrimPrefix(host, "smtp://"), "ann:geheim@")
			listen, _, _ = strings.Cut(listen, "?")
			srv.Close()
			if c.cause == causeTLS { // a good certificate would have to be known to this machine
				return
			}
			smtptest.New(t, smtptest.Script{Listen: listen, Users: map[string]string{"ann": "geheim"}})
			r.heals("relay host")
		})
	}
}

func TestAProcessThatMayOpenNoMoreIsVisible(t *testing.T) {
	a := &assembly{watch: newWatch(slog.New(slog.DiscardHandler), newCounted())}
	open := openNothing
	a.lookAtFiles(func() error { return open() })
	for _, c := range []struct {
		open func() error
		want string
	}{
		{openNothing, ""},
		{func() error { return &fs.PathError{Op: "open", Err: syscall.EMFILE} }, causeExhausted},
		{func() error { return fs.ErrNotExist }, ""},
	} {
		open = c.open
		if got := a.watch.Check(t.Context())[0].Cause; got != c.want {
			t.Errorf("found %q, want %q", got, c.want)
		}
	}
}

func TestAlarmsOfTheBrokerAreVisible(t *testing.T) {
	s := rabbitmq.LinkState{Enabled: true, Connected: true, Since: time.Now(), Session: 1, Blocked: "low on memory"}
	if f := linkFault(s, httpapi.CheckDegraded); f == nil || f.cause != causeBlocked || !strings.Contains(f.detail, "low on memory") || !strings.Contains(f.remedy, "memory") {
		t.Errorf("blocked: %+v", f)
	}
	s.Blocked = ""
	if f := linkFault(s, httpapi.CheckDegraded); f != nil {
		t.Errorf("not blocked: %+v", f)
	}
}

func TestAClockThatStepsOrDiffersIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead time.Duration
		c := &clocks{read: func(context.Context) (message.Clock, error) {
			return message.Clock{Now: time.Now().Add(ahead)}, nil
		}}
		want := func(cause string) {
			t.Helper()
			<-time.After(watchEvery)
			f := c.look(t.Context())
			if f == nil && cause != "" || f != nil && f.cause != cause {
				t.Errorf("found %+v, want %q", f, cause)
			}
		}
		want("")
		want("")
		ahead = 10 * time.Second
		want(causeStep)
		<-time.After(stepIsShown)
		want("")
		ahead = -time.Hour
		want(causeSkew)
		<-time.After(stepIsShown)
		want(causeSkew)
		ahead = 0
		want(causeStep) // back
		<-time.After(stepIsShown)
		want("")
	})
}

func TestARelayHostThatIsSlowIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &assembly{watch: newWatch(slog.New(slog.DiscardHandler), newCounted()), observed: newObservations()}
		a.lookAtProgress()
		found := func() string { return a.watch.Check(t.Context())[0].Cause }
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = observedSender{slowSender{}, a.observed}.Send(t.Context(), nil, nil)
		}()
		<-time.After(patience - time.Second)
		if cause := found(); cause != "" {
			t.Errorf("%s after 29 s", cause)
		}
		<-time.After(2 * time.Second)
		if cause := found(); cause != causeSlow {
			t.Errorf("found %q after 31 s", cause)
		}
		if <-sent; found() != "" {
			t.Error("still slow after the try has ended")
		}
	})
}

// slowSender takes a minute for each mail.
type slowSender struct{ worker.Sender }

func (slowSender) Send(context.Context, *message.Work, func(context.Context) error) (message.Receipt, error) {
	<-time.After(time.Minute)
	return message.Receipt{}, nil
}

// lossy misses a copy at every look.
type lossy struct{ sweep.Store }

func (lossy) SweepLost(context.Context, message.Lane, time.Time, int) (int, error) { return 1, nil }

func TestWhatKeepsHappeningIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObservations()
		a := &assembly{watch: newWatch(slog.New(slog.DiscardHandler), newCounted()), observed: o}
		a.lookAtRecurring("repairs", "copies were lost", "look why", o.repairs, causeLeases, causeLostCopies)
		found := func() string { return a.watch.Check(t.Context())[0].Cause }
		sweeping := observedSweep{lossy{}, o}
		for range 3 {
			if _, err := sweeping.SweepLost(t.Context(), message.LaneLow, time.Time{}, 10); err != nil {
				t.Fatal(err)
			}
			if cause := found(); cause != "" {
				t.Errorf("%s after a moment", cause)
			}
			<-time.After(10 * time.Second)
		}
		_, _ = sweeping.SweepLost(t.Context(), message.LaneLow, time.Time{}, 10)
		if cause := found(); cause != causeLostCopies {
			t.Errorf("found %q after 30 s of it", cause)
		}
		<-time.After(streakEnds + time.Second)
		if cause := found(); cause != "" {
			t.Errorf("still %s", cause)
		}
	})
}
