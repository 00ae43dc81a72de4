package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// options are what a run is asked to do.
type options struct {
	plan    string
	systems []string // nil: those of the plan
	phases  []string // nil: all
	rounds  int
	mails   int
	workers int
	steady  time.Duration
	limits  time.Duration
	out     string
	command string // what was typed
}

// phases of a system in a round, by the names that -phases takes.
const (
	phaseAccept    = "accept"
	phaseDrain     = "drain"
	phaseSustained = "sustained"
	phaseSteady    = "steady"
)

func phaseNames() []string { return []string{phaseAccept, phaseDrain, phaseSustained, phaseSteady} }

func readOptions(args []string) (options, error) {
	o := options{command: commandLine(args)}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.Usage = func() { usage(f) }
	f.StringVar(&o.plan, "plan", "quick", "what is measured: "+strings.Join(planNames(), " or "))
	f.Func("systems", "only these `names`, separated by commas; - is none (default those of the plan)", listed(&o.systems))
	f.Func("phases", "only these `names` of accept, drain, sustained, steady (default all)", listed(&o.phases))
	f.IntVar(&o.rounds, "rounds", 3, "how often each system is measured; medians and spreads are over rounds")
	f.IntVar(&o.mails, "mails", 20_000, "mails in each phase")
	f.IntVar(&o.workers, "workers", 128, "mails that each system sends at the same time")
	f.DurationVar(&o.steady, "steady", 15*time.Second, "how long 200 mails a second are handed in")
	f.DurationVar(&o.limits, "limits", time.Second, "how long each limit of the machine is measured, in every round; 0 is not at all")
	f.StringVar(&o.out, "out", "", "a `file` for every number that was measured, as JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; -help lists what there is", f.Arg(0))
	}
	return o, o.check()
}

func (o options) check() error {
	var errs []error
	if !slices.Contains(planNames(), o.plan) {
		errs = append(errs, fmt.Errorf("no plan %q; there are %s", o.plan, strings.Join(planNames(), ", ")))
	}
	for _, name := range o.phases {
		if !slices.Contains(phaseNames(), name) {
			errs = append(errs, fmt.Errorf("no phase %q; there are %s", name, strings.Join(phaseNames(), ", ")))
		}
	}
	if o.rounds < 1 || o.mails < 1 || o.workers < 1 {
		errs = append(errs, errors.New("rounds, mails and workers are 1 or more"))
	}
	if o.steady < 0 || o.limits < 0 {
		errs = append(errs, errors.New("steady and limits are 0 or more"))
	}
	return errors.Join(errs...)
}

// listed reads names separated by commas; "-" is a list of none.
func listed(into *[]string) func(string) error {
	return func(text string) error {
		*into = []string{}
		if text != "-" && text != "" {
			*into = strings.Split(text, ",")
		}
		return nil
	}
}
