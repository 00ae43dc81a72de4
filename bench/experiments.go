package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/postrider/postrider/bench/experiment"
	"github.com/postrider/postrider/bench/partition"
	"github.com/postrider/postrider/bench/report"
)

// experiments are the steps that are of Postrider alone.
func (g *ground) experiments(o options) []step {
	at := experiment.Ground{Bench: g.bench, Own: g.own(owns()[0]), Mails: o.mails}
	var all []step
	for round := 1; round <= o.rounds; round++ {
		all = append(all, o.backlogs(at, round)...)
		for _, e := range []struct {
			name, what string
			sizes      []int
			do         func(ctx context.Context, size, round int) error
		}{
			{expConsumers, "drain by consumer processes", []int{1, 2, 4, 8}, at.Consumers},
			{expProducers, "accept by producer processes", []int{1, 2}, at.Producers},
			{expFar, "drain to a relay host 20 ms away, sessions", []int{16, 32, 64, 128, 512}, at.Far},
		} {
			if slices.Contains(o.experiments, e.name) {
				all = append(all, eachSize(e.what, e.sizes, round, 15*time.Second, e.do)...)
			}
		}
	}
	if slices.Contains(o.experiments, expCritical) {
		all = append(all, o.critical(at))
	}
	if slices.Contains(o.experiments, expPartitions) {
		all = append(all, g.partitions(o))
	}
	return all
}

// eachSize is a step for each size.
func eachSize(what string, sizes []int, round int, expects time.Duration, do func(context.Context, int, int) error) []step {
	var all []step
	for _, size := range sizes {
		all = append(all, step{
			what: fmt.Sprintf("%s: %s, round %d", what, report.Count(size), round), expects: expects,
			do: func(ctx context.Context) error { return do(ctx, size, round) },
		})
	}
	return all
}

// oftenBacklog is the largest backlog that is measured in every round; larger ones take
// minutes to make.
const oftenBacklog = 100_000

// backlogs are of 0 mails, 10,000, and ten times as many up to the largest.
func (o options) backlogs(at experiment.Ground, round int) []step {
	if !slices.Contains(o.experiments, expBacklog) {
		return nil
	}
	var all []step
	for _, size := range backlogSizes(o.backlog) {
		if size <= oftenBacklog || round == 1 {
			all = append(all, eachSize("backlog", []int{size}, round, 12*time.Second+fillTime(size), at.Backlog)...)
		}
	}
	return all
}

func backlogSizes(largest int) []int {
	sizes := []int{0}
	for size := 10_000; size <= largest; size *= 10 {
		sizes = append(sizes, size)
	}
	if last := sizes[len(sizes)-1]; last != largest {
		sizes = append(sizes, largest)
	}
	return sizes
}

// fillTime is about how long it takes to have so many mails wait.
func fillTime(mails int) time.Duration { return time.Duration(mails) * 60 * time.Microsecond }

func (o options) critical(at experiment.Ground) step {
	return step{
		what:    fmt.Sprintf("lane critical while %s of lane low wait", report.Count(o.low)),
		expects: 25*time.Second + fillTime(o.low),
		do:      func(ctx context.Context) error { return at.Critical(ctx, o.low, o.steady) },
	}
}

// partitions is a single step, since all rounds are of the same tables.
func (g *ground) partitions(o options) step {
	e := partition.Experiment{Bench: g.bench, Database: g.where.Database, Out: os.Stdout, Rounds: o.rounds}
	return step{
		what: "tables that are partitioned by day", apart: true,
		expects: time.Minute + time.Duration(o.rounds)*25*time.Second,
		do:      e.Measure,
	}
}
