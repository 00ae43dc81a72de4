package main

import (
	"context"
	"slices"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/null"
	"github.com/postrider/postrider/bench/postrider"
	"github.com/postrider/postrider/bench/result"
)

// What the tables call Postrider and its other configurations. All begin with the
// first, by which report knows them.
const (
	ownSystem  = "postrider"
	nullSystem = "postrider-null"
)

// own is a configuration of Postrider.
type own struct {
	name string
	note string
	env  map[string]string // settings over the defaults of the product

	// serve is one process without a broker. Since its workers never rest, only phases
	// that take in and send at the same time can be measured.
	serve bool
}

func owns() []own {
	return []own{
		{name: ownSystem},
		{
			name: "postrider-parcels", env: map[string]string{"POSTRIDER_QUEUE_PARCEL": "16"},
			note: "POSTRIDER_QUEUE_PARCEL=16: one message on the broker stands for up to 16 mails of a backlog.",
		},
		{
			name: "postrider-both", env: map[string]string{"POSTRIDER_QUEUE_PARCEL": "16", "POSTRIDER_MARK": "hold"},
			note: "parcels, and claims that are their mark.",
		},
		{
			name: "postrider-mark-hold", env: map[string]string{"POSTRIDER_MARK": "hold"},
			note: "POSTRIDER_MARK=hold: a mail without on_unknown hold is marked as possibly sent when a worker takes it, which saves a write.",
		},
		{
			name: "postrider-serve", serve: true,
			note: "one process, postrider serve, on Postgres alone: it queues within itself, and there can be one of it.",
		},
		{name: nullSystem, note: "The consumer renders and sends nothing: what a drain costs beside SMTP."},
	}
}

func ownNames() []string {
	var names []string
	for _, o := range owns() {
		names = append(names, o.name)
	}
	return names
}

// ownNamed reports whether the name is one of Postrider's.
func ownNamed(name string) (own, bool) {
	i := slices.IndexFunc(owns(), func(o own) bool { return o.name == name })
	if i < 0 {
		return own{}, false
	}
	return owns()[i], true
}

// own is Postrider in one of its configurations.
func (g *ground) own(o own) postrider.Config {
	return postrider.Config{Name: o.name, Programs: g.programs, Services: g.services, Where: g.where, Env: o.env, Serve: o.serve}
}

func (g *ground) newOwn(o own) (job.System, error) {
	if o.name == nullSystem {
		return null.New(g.own(o))
	}
	return postrider.New(g.own(o)), nil
}

// of are the options of a system's round: without phases that it cannot go through.
func (o options) of(system string) options {
	if own, ok := ownNamed(system); ok && own.serve {
		o.phases = slices.DeleteFunc(slices.Clone(o.wanted()), func(phase string) bool { return phase == phaseAccept || phase == phaseDrain })
	}
	return o
}

// measureNull is the round of a system whose mails come to no sink: only its drain is
// of any other kind than Postrider's.
func (o options) measureNull(ctx context.Context, m *measure.Session, s *null.System) error {
	if !o.wants(phaseDrain) {
		return nil
	}
	if err := m.HandIn(ctx, 64, 2*o.mails); err != nil {
		return err
	}
	if err := m.DrainRecorded(ctx, result.Drain, s); err != nil {
		return err
	}
	return m.Rest(ctx)
}
