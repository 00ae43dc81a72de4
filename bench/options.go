package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/bench/peer"
)

// options are what a run is asked to do.
type options struct {
	plan        string
	systems     []string
	phases      []string // nil: all
	experiments []string
	rounds      int
	mails       int // in each phase
	workers     int
	backlog     int // the largest
	low         int // that wait behind lane critical
	steady      time.Duration
	limits      time.Duration // for each; 0: not at all

	out      string // a file; "" for none
	from     string // a file that out was; "": measure
	docs     bool
	baseline string // a file
	accept   bool   // the run becomes the baseline
	command  string // what was typed
}

// phases of a system in a round, by the names that -phases takes.
const (
	phaseAccept    = "accept"
	phaseDrain     = "drain"
	phaseSustained = "sustained"
	phaseSteady    = "steady"
)

func phaseNames() []string { return []string{phaseAccept, phaseDrain, phaseSustained, phaseSteady} }

func (o options) wants(phase string) bool { return slices.Contains(o.wanted(), phase) }

func (o options) wanted() []string {
	if o.phases == nil {
		return phaseNames()
	}
	return o.phases
}

// systemNames are all that can be measured in rounds.
func systemNames() []string { return slices.Concat(ownNames(), peer.Names()) }

// unset is a number that the plan gives.
const unset = -1

func readOptions(args []string) (options, error) {
	o := options{command: commandLine(args), backlog: unset, limits: unset}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.Usage = func() { usage(f) }
	o.declareWhat(f)
	o.declareHow(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; -help lists what there is", f.Arg(0))
	}
	o.follow(planNamed(o.plan))
	return o, o.check()
}

func (o *options) declareWhat(f *flag.FlagSet) {
	f.StringVar(&o.plan, "plan", "quick", "the `plan`: "+strings.Join(planNames(), ", "))
	f.Func("systems", "only these `names`, separated by commas; - is none (default: the plan's)", listed(&o.systems))
	f.Func("phases", "only these `names` of "+strings.Join(phaseNames(), ", ")+" (default: the plan's)", listed(&o.phases))
	f.Func("experiments", "only these `names` of "+strings.Join(experimentNames(), ", ")+"; - is none (default: the plan's)",
		listed(&o.experiments))
	f.IntVar(&o.rounds, "rounds", 3, "how often each system is measured; medians and spreads are over rounds")
	f.IntVar(&o.mails, "mails", 20_000, "mails in each phase")
	f.IntVar(&o.workers, "workers", 128, "mails that each system sends at the same time")
	f.Func("backlog", "the largest `number` of mails that wait in the experiment backlog (default: the plan's)", func(text string) (err error) {
		o.backlog, err = strconv.Atoi(text)
		return err
	})
	f.IntVar(&o.low, "critical", 1_000_000, "the `number` of mails of lane low that wait in the experiment critical")
	f.DurationVar(&o.steady, "steady", 15*time.Second, "how long 200 mails a second are handed in, and 20 critical ones")
	f.Func("limits", "how `long` each limit of the machine is measured, in every round; 0 is not at all (default: the plan's)", func(text string) (err error) {
		o.limits, err = time.ParseDuration(text)
		return err
	})
}

func (o *options) declareHow(f *flag.FlagSet) {
	f.StringVar(&o.out, "out", "", "a `file` for every number that was measured, as JSON")
	f.StringVar(&o.from, "from", "", "show what such a `file` has, and measure nothing")
	f.BoolVar(&o.docs, "docs", false, "write the results into docs/performance.md, with plots")
	f.StringVar(&o.baseline, "baseline", "bench/gate/baseline.json", "the `file` that the regression gate holds the run against")
	f.BoolVar(&o.accept, "accept-baseline", false, "write that file anew: what was measured is held from now on")
}

// follow takes from the plan what was not asked for.
func (o *options) follow(p plan) {
	if o.systems == nil {
		o.systems = p.systems
	}
	if o.phases == nil {
		o.phases = p.phases
	}
	if o.experiments == nil {
		o.experiments = p.experiments
	}
	if o.backlog == unset {
		o.backlog = p.backlog
	}
	if o.limits == unset {
		o.limits = p.limits
	}
}

func (o options) check() error {
	errs := []error{
		known("plan", []string{o.plan}, planNames()),
		known("system", o.systems, systemNames()),
		known("phase", o.phases, phaseNames()),
		known("experiment", o.experiments, experimentNames()),
	}
	if o.rounds < 1 || o.mails < 1 || o.workers < 1 || o.low < 1 {
		errs = append(errs, errors.New("rounds, mails, workers and critical are 1 or more"))
	}
	if o.backlog < 0 || o.limits < 0 || o.steady < 100*time.Millisecond {
		errs = append(errs, errors.New("backlog and limits are 0 or more, steady is 100ms or more"))
	}
	return errors.Join(errs...)
}

func known(what string, names, all []string) error {
	for _, name := range names {
		if !slices.Contains(all, name) {
			return fmt.Errorf("no %s %q; there are %s", what, name, strings.Join(all, ", "))
		}
	}
	return nil
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
