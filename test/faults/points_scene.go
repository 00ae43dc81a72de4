package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
	"github.com/postrider/postrider/test/tap"
)

// scene is a stage with a proxy on each wire: every process has its own, so that a
// step tells whose it is.
type scene struct {
	*stage
	services *rig.Services

	mu      sync.Mutex       // of what follows; the stage has its own
	taps    map[string]*taps // by the member's name
	lease   time.Duration
	doubted time.Time // the first fault after which a mail is still to be settled
	failure error     // of a proxy that could not be started
	cue     *cue
}

// taps are the proxies of one member; they outlive its processes.
type taps struct {
	member *rig.Member
	broker *tap.Proxy
	tables *tap.Proxy
}

// defaultLease is that of a user who sets none.
const defaultLease = 20 * time.Second

// newScene builds all of it and waits until it is ready; the caller closes it.
func newScene(ctx context.Context, b *bench, c cast, env map[string]string) (*scene, error) {
	s := &scene{services: b.services, taps: map[string]*taps{}, lease: defaultLease}
	var err error
	if given := env["POSTRIDER_LEASE"]; given != "" {
		if s.lease, err = time.ParseDuration(given); err != nil {
			return nil, err
		}
	}
	p := plan{script: s.script(), consumers: c.consumers, env: env, edit: s.connect}
	if s.stage, err = b.stage(ctx, p); err != nil {
		return nil, errors.Join(err, s.closeTaps())
	}
	for range c.producers - 1 {
		if _, err := s.stack.Add(ctx, rig.Producer); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if s.failure != nil {
		return nil, errors.Join(s.failure, s.close())
	}
	return s, nil
}

func (s *scene) close() error { return errors.Join(s.stage.close(), s.closeTaps()) }

func (s *scene) closeTaps() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.taps {
		w.broker.Close()
		w.tables.Close()
	}
	return nil
}

// connect puts the member's proxies into its settings.
func (s *scene) connect(m *rig.Member, env map[string]string) {
	w, err := s.tapsOf(m)
	if err == nil {
		env["POSTRIDER_RABBITMQ_URL"], err = w.broker.Through(env["POSTRIDER_RABBITMQ_URL"])
	}
	if err == nil {
		env["POSTRIDER_DATABASE_URL"], err = w.tables.Through(env["POSTRIDER_DATABASE_URL"])
	}
	if err != nil {
		s.mu.Lock()
		s.failure = errors.Join(s.failure, err)
		s.mu.Unlock()
	}
}

func (s *scene) tapsOf(m *rig.Member) (*taps, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.taps[m.Name]; w != nil {
		return w, nil
	}
	broker, err := proxyTo(s.services.Broker, tap.AMQP)
	if err != nil {
		return nil, err
	}
	tables, err := proxyTo(s.services.Database, tap.Postgres)
	if err != nil {
		broker.Close()
		return nil, err
	}
	w := &taps{member: m, broker: broker, tables: tables}
	s.taps[m.Name] = w
	return w, nil
}

func proxyTo(service string, start func(string) (*tap.Proxy, error)) (*tap.Proxy, error) {
	u, err := url.Parse(service)
	if err != nil {
		return nil, err
	}
	return start(u.Host)
}

// of picks the proxies of those who run a program.
func (s *scene) of(program string, pick func(*taps) *tap.Proxy) []*tap.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*tap.Proxy
	for _, w := range s.taps {
		if w.member.Program == program {
			list = append(list, pick(w))
		}
	}
	return list
}

func broker(w *taps) *tap.Proxy { return w.broker }
func tables(w *taps) *tap.Proxy { return w.tables }

// owner is whose proxy it is.
func (s *scene) owner(p *tap.Proxy) *rig.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.taps {
		if w.broker == p || w.tables == p {
			return w.member
		}
	}
	return nil
}

// cue is what is to be done when the relay host sees a step of a mail.
type cue struct {
	at    smtptest.Step
	match string // part of the sender's or the recipient's address
	do    func()
	given chan struct{} // closed when it is done
}

// script has every step of the relay host give a cue.
func (s *scene) script() smtptest.Script {
	var script smtptest.Script
	for _, step := range []smtptest.Step{smtptest.Mail, smtptest.Rcpt, smtptest.Data, smtptest.Body, smtptest.Dot} {
		rule := smtptest.Rule{At: step, Do: s.step}
		if step == smtptest.Body {
			rule.After = 100 // in the midst of it
		}
		script.Rules = append(script.Rules, rule)
	}
	return script
}

// step gives the cue once.
func (s *scene) step(e smtptest.Event) {
	s.mu.Lock()
	c := s.cue
	ours := c != nil && c.at == e.Step && strings.Contains(e.Line+e.From+strings.Join(e.Rcpts, " "), c.match)
	if ours {
		s.cue = nil
	}
	s.mu.Unlock()
	if ours {
		defer close(c.given)
		c.do()
	}
}

// on has something done when the relay host sees a step of the mail.
func (s *scene) on(at smtptest.Step, match string, do func()) *cue {
	c := &cue{at: at, match: match, do: do, given: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cue = c
	return c
}

var errNotFired = errors.New("the fault was never made")

// await waits until the cue was given. The step may never come, and then the point
// proves nothing.
func (c *cue) await(ctx context.Context) error {
	select {
	case <-c.given:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: no %s of %q: %w", errNotFired, c.at, c.match, ctx.Err())
	}
}

// rob notes a fault and how many outcomes it can have robbed: those of the sends
// that the process had marked.
func (s *scene) rob(ctx context.Context, kind string, victim *rig.Member, begun, ended time.Time) (sends int, err error) {
	sends, err = s.stack.InFlight(ctx, victim.Process().PID())
	s.note(check.Fault{Begun: begun, Ended: ended, Kind: kind, Victim: victim.Name, Sends: sends})
	return sends, err
}

// settle waits for the mails whose leases will soon be over: sent again, they could
// be hit by a later fault that is meant for another mail.
func (s *scene) settle(ctx context.Context) error {
	if s.doubted.IsZero() || time.Since(s.doubted) < s.lease/2 {
		return nil
	}
	s.doubted = time.Time{}
	return rig.Await(ctx, 50*time.Millisecond, "every mail to be settled", func() (bool, error) {
		n, err := s.stack.Open(ctx)
		return n == 0, err
	})
}
