package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"
)

// options are what a run is asked to do.
type options struct {
	plan    string
	systems []string
	phases  []string
	rounds  int
	mails   int
	workers int
	steady  time.Duration
	out     string
}

func readOptions(args []string) (options, error) {
	var o options
	var systems, phases string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.plan, "plan", "quick", "quick: 15 minutes on two cores; full: every peer in every configuration, and large backlogs")
	f.StringVar(&systems, "systems", "", "only these, separated by commas; default: those of the plan")
	f.StringVar(&phases, "phases", "", "only these of accept, drain, sustained, steady, separated by commas; default: all")
	f.IntVar(&o.rounds, "rounds", 3, "how often each system is measured; medians and spreads are over rounds")
	f.IntVar(&o.mails, "mails", 20_000, "mails in each phase")
	f.IntVar(&o.workers, "workers", 128, "mails that each system sends at the same time")
	f.DurationVar(&o.steady, "steady", 15*time.Second, "how long the phase of 200 mails a second takes")
	f.StringVar(&o.out, "out", "", "a file for what was measured, as JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.plan != "quick" && o.plan != "full" {
		return o, fmt.Errorf("no plan %q; there are quick and full", o.plan)
	}
	if o.rounds < 1 || o.mails < 1 || o.workers < 1 {
		return o, errors.New("rounds, mails and workers are 1 or more")
	}
	o.systems, o.phases = list(systems), list(phases)
	return o, nil
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
