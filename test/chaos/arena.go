package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

// arena is a Postrider with everything that it stands on, and the means to harm it.
type arena struct {
	o        *options
	work     string // the folder of databases and logs
	services *rig.Services
	relay    *smtptest.Server
	stack    *rig.Stack
	calls    rig.CallLog
	faults   faultLog

	mu    sync.Mutex
	locks map[string]*sync.Mutex // by target: held from a fault until it is over
}

// build starts everything; its steps are told to out. The caller closes the arena,
// also after an error.
func build(ctx context.Context, o *options, out io.Writer) (*arena, error) {
	a := &arena{o: o, locks: map[string]*sync.Mutex{}}
	root, err := rig.Root()
	if err != nil {
		return a, err
	}
	if a.work, err = os.MkdirTemp("", "postrider-chaos-"); err != nil {
		return a, err
	}
	fmt.Fprintln(out, "building the programs")
	programs, err := rig.Build(ctx, root, a.work, o.race)
	if err != nil {
		return a, err
	}
	if o.mode == modeDistributed {
		fmt.Fprintf(out, "starting Postgres and RabbitMQ of the set %q\n", o.services)
		if a.services, err = rig.Private(ctx, root, o.services); err != nil {
			return a, err
		}
	}
	slow := smtptest.Rule{At: smtptest.Dot, Delay: o.reply}
	if a.relay, err = smtptest.Start(smtptest.Script{Rules: []smtptest.Rule{slow}}); err != nil {
		return a, err
	}
	fmt.Fprintln(out, "starting Postrider")
	a.stack, err = rig.NewStack(ctx, rig.Layout{
		Programs: programs, Dir: a.work, Services: a.services, Producers: o.producers, Consumers: o.consumers,
		Relay: a.relay.URL("none", "", ""), Env: a.settings(),
	})
	return a, err
}

// settings are the programs' own defaults where those matter to what is measured.
func (a *arena) settings() map[string]string {
	env := map[string]string{"POSTRIDER_LEASE": "20s", "POSTRIDER_SWEEP_INTERVAL": "5s", "POSTRIDER_SHUTDOWN_GRACE": "30s"}
	for name, value := range a.o.env {
		env[name] = value
	}
	return env
}

// lock takes a target for a fault; it waits for the fault before.
func (a *arena) lock(target string) *sync.Mutex {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.locks[target] == nil {
		a.locks[target] = &sync.Mutex{}
	}
	return a.locks[target]
}

// member finds the place that a fault is made to.
func (a *arena) member(f planned) *rig.Member {
	for _, m := range a.stack.Members() {
		if m.Name == f.target() {
			return m
		}
	}
	return nil
}

// close stops everything; what a failed run left is kept by the report.
func (a *arena) close(ctx context.Context) error {
	var errs []error
	if a.stack != nil {
		errs = append(errs, a.stack.Close(ctx))
	}
	if a.relay != nil {
		a.relay.Close()
	}
	if a.services != nil {
		errs = append(errs, a.services.Fault(ctx, "down"), a.services.Close())
	}
	if a.work != "" {
		errs = append(errs, os.RemoveAll(a.work))
	}
	return errors.Join(errs...)
}

// keepLogs copies what all processes wrote.
func (a *arena) keepLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(a.work, "*.log"))
	for _, file := range logs {
		content, readErr := os.ReadFile(file)
		err = cmp.Or(err, readErr, os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o600))
	}
	return err
}

// supervise starts again what ended though nobody had told it to, as a service manager
// would; the end counts against the run all the same.
func (a *arena) supervise(ctx context.Context) {
	for wait(ctx, 200*time.Millisecond) {
		for _, m := range a.stack.Members() {
			lock := a.lock(m.Name)
			if !lock.TryLock() {
				continue
			}
			if m.Process().Fell() {
				a.faults.wrong(fmt.Errorf("%s ended by itself: %w", m.Name, m.Process().Err()))
				if err := a.stack.Start(m); err != nil {
					a.faults.wrong(err)
				}
			}
			lock.Unlock()
		}
	}
}

// wait reports whether the time has passed before ctx was over.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
