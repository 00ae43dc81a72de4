package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	modeDistributed = "distributed"
	modeEmbedded    = "embedded"
)

// options are the flags.
type options struct {
	mode      string
	duration  time.Duration // of the faults
	interval  time.Duration // from one fault to the next
	seed      uint64
	kinds     []kind
	rate      float64 // mails a second
	mails     int     // in all; 0: rate for the duration
	callers   int
	producers int
	consumers int
	reply     time.Duration // how long the relay host thinks about a mail
	env       settings
	quiet     time.Duration // the longest from the last fault to rest
	services  string        // the set of scripts/services.sh to harm
	dir       string        // where reports go
	race      bool
	keep      bool     // the logs, also where nothing is wrong
	args      []string // as given, for the report
}

// settings are NAME=VALUE, given any number of times.
type settings map[string]string

func (s settings) String() string { return fmt.Sprint(map[string]string(s)) }

// Set implements flag.Value.
func (s settings) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("not NAME=VALUE")
	}
	s[name] = value
	return nil
}

var errOptions = errors.New("these flags make no run")

func parse(args []string, out io.Writer) (*options, error) {
	o := &options{args: args, env: settings{}}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(out)
	faults := flags.String("faults", "all", "all, or kinds of fault parted by commas, or parts of their names such as kill or consumer:\n"+
		strings.Join(names(allKinds()), " "))
	flags.StringVar(&o.mode, "mode", modeDistributed, "distributed: producers, consumers, RabbitMQ, Postgres; embedded: one process on SQLite")
	flags.DurationVar(&o.duration, "duration", 2*time.Minute, "how long faults are made")
	flags.DurationVar(&o.interval, "interval", 2*time.Second, "from one fault to the next")
	flags.Uint64Var(&o.seed, "seed", 0, "of the sequence of faults; 0 chooses one")
	flags.Float64Var(&o.rate, "rate", 20, "mails posted a second")
	flags.IntVar(&o.mails, "mails", 0, "mails in all, spread over the duration; instead of -rate")
	flags.IntVar(&o.callers, "callers", 32, "callers who post at the same time at most")
	flags.IntVar(&o.producers, "producers", 2, "producer processes")
	flags.IntVar(&o.consumers, "consumers", 3, "consumer processes")
	flags.DurationVar(&o.reply, "reply", 50*time.Millisecond, "how long the relay host takes to answer a mail, which widens the window in which the outcome is unknown")
	flags.Var(o.env, "env", "a setting of the programs, NAME=VALUE; may be repeated")
	flags.DurationVar(&o.quiet, "quiet", time.Minute, "the longest that all may take to come to rest after the last fault")
	flags.StringVar(&o.services, "services", "chaos", "the set of scripts/services.sh to harm; two runs at once need two")
	flags.StringVar(&o.dir, "dir", "data/chaos", "where a folder with the report is made")
	flags.BoolVar(&o.race, "race", false, "build the programs with the race detector")
	flags.BoolVar(&o.keep, "keep", false, "keep what the processes wrote, also where nothing is wrong")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return o, o.complete(*faults)
}

// complete derives what was left open and refuses what cannot be.
func (o *options) complete(faults string) error {
	if o.mode != modeDistributed && o.mode != modeEmbedded {
		return fmt.Errorf("%w: -mode is %s or %s", errOptions, modeDistributed, modeEmbedded)
	}
	if o.seed == 0 {
		o.seed = uint64(rand.Uint32())
	}
	if o.mails == 0 {
		o.mails = int(o.rate * o.duration.Seconds())
	}
	o.rate = float64(o.mails) / o.duration.Seconds()
	o.kinds = choose(faults, o.mode)
	switch {
	case len(o.kinds) == 0:
		return fmt.Errorf("%w: no kind of fault of the %s mode is called %q", errOptions, o.mode, faults)
	case o.mails < 1 || o.callers < 1 || o.producers < 1 || o.consumers < 1 || o.interval <= 0:
		return fmt.Errorf("%w: mails, callers, producers, consumers and interval are at least 1", errOptions)
	}
	if never := o.unplanned(); len(never) > 0 {
		return fmt.Errorf("%w: %v with a fault every %v have no time for %s: give more time, or name fewer -faults",
			errOptions, o.duration, o.interval, strings.Join(never, ", "))
	}
	return nil
}

// unplanned lists the kinds of which the sequence has none.
func (o *options) unplanned() []string {
	never := names(o.kinds)
	for _, f := range plan(o) {
		never = slices.DeleteFunc(never, func(name string) bool { return name == f.kind.name })
	}
	return never
}

// choose lists the kinds of a mode whose names are given, or hold what is given as one
// of the words between their dashes.
func choose(faults, mode string) []kind {
	return slices.DeleteFunc(allKinds(), func(k kind) bool {
		if k.part.embedded() != (mode == modeEmbedded) && k.part != relayHost {
			return true
		}
		return !slices.ContainsFunc(strings.Split(faults, ","), func(f string) bool {
			return f == "all" || f == k.name || slices.Contains(strings.Split(k.name, "-"), f)
		})
	})
}
