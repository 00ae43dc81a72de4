package main

import (
	"slices"
	"time"

	"github.com/postrider/postrider/bench/peer"
)

// plan is what a run measures, but for how much of it.
type plan struct {
	name        string
	about       string
	systems     []string // in the order of the first round
	phases      []string // nil: all
	experiments []string
	backlog     int           // the largest, in mails
	limits      time.Duration // for each; 0: not at all
}

// Experiments, by the names that -experiments takes.
const (
	expBacklog   = "backlog"
	expCritical  = "critical"
	expConsumers = "consumers"
	expProducers = "producers"
	expFar       = "far"

	// expPartitions answers a question once, and is in no plan.
	expPartitions = "partitions"
)

func experimentNames() []string {
	return append(plannedExperiments(), expPartitions)
}

func plannedExperiments() []string {
	return []string{expBacklog, expCritical, expConsumers, expProducers, expFar}
}

func plans() []plan {
	return []plan{
		{
			name: "quick", about: "Postrider, River and Asynq; a backlog of 100,000; the gate",
			systems: []string{ownSystem, "river", "asynq"}, experiments: []string{expBacklog, expCritical},
			backlog: 100_000, limits: time.Second,
		},
		{
			name: "full", about: "every peer and experiment; a backlog of a million",
			systems: slices.Concat(ownNames(), peer.Names()), experiments: plannedExperiments(),
			backlog: 1_000_000, limits: time.Second,
		},
		{
			name: "gate", about: "only what the regression gate looks at, in three minutes",
			systems: []string{ownSystem, "river"}, phases: []string{phaseSustained},
		},
	}
}

func planNames() []string {
	var names []string
	for _, p := range plans() {
		names = append(names, p.name)
	}
	return names
}

// planNamed is the plan of that name; options are checked to have one.
func planNamed(name string) plan {
	for _, p := range plans() {
		if p.name == name {
			return p
		}
	}
	return plan{}
}

// rotated is the order of a round, from 1 on: each system is once the first, so that
// none always meets the same state of the machine.
func rotated(systems []string, round int) []string {
	if len(systems) == 0 {
		return nil
	}
	first := (round - 1) % len(systems)
	return slices.Concat(systems[first:], systems[:first])
}
