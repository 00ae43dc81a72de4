package main

import (
	"github.com/postrider/postrider/bench/peer"
)

// ownSystem is what the tables call Postrider.
const ownSystem = "postrider"

// plan is what a run measures, but for how much of it.
type plan struct {
	name    string
	about   string
	systems []string // in the order of the first round
}

func plans() []plan {
	return []plan{
		{
			name: "quick", about: "Postrider, River and Asynq",
			systems: []string{ownSystem, "river", "asynq"},
		},
		{
			name: "full", about: "every peer in every configuration",
			systems: append([]string{ownSystem}, peer.Names()...),
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
	return append(append([]string{}, systems[first:]...), systems[:first]...)
}
