package simulate_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/simulate"
)

// options are the settings of 'make simulate'.
type options struct {
	store  string // memory, sqlite, postgres
	seeds  uint64
	first  uint64 // of the seeds
	one    bool   // replay the first seed with its trace
	tail   int    // how many lines of it; 0: all
	mutant string // the guard to take away; "": none
	mark   message.Marking
	shard  uint64 // this one of
	shards uint64 // so many processes
}

const shards = 2

func readOptions() (options, error) {
	o := options{store: "memory", seeds: 100_000, shards: shards, mutant: os.Getenv("MUTANT"), mark: message.Marking(os.Getenv("MARK"))}
	if s := os.Getenv("STORE"); s != "" {
		o.store = s
	}
	switch o.store {
	case "memory":
	case "sqlite":
		o.seeds = 2000
	case "postgres":
		o.seeds = 200
	default:
		return o, fmt.Errorf("STORE=%s: use memory, sqlite or postgres", o.store)
	}
	switch o.mark {
	case "", message.MarkAlways, message.MarkHold:
	default:
		return o, fmt.Errorf("MARK=%s: use always or hold", o.mark)
	}
	number := func(name string, to *uint64) (given bool, err error) {
		text := os.Getenv(name)
		if text == "" {
			return false, nil
		}
		*to, err = strconv.ParseUint(text, 10, 64)
		if err != nil {
			err = fmt.Errorf("%s=%s is no number", name, text)
		}
		return true, err
	}
	var tail uint64
	for name, to := range map[string]*uint64{"SEEDS": &o.seeds, "FROM": &o.first, "TAIL": &tail, "SHARD": &o.shard} {
		if _, err := number(name, to); err != nil {
			return o, err
		}
	}
	o.tail = int(min(tail, 1_000_000))
	var err error
	o.one, err = number("SEED", &o.first)
	return o, err
}

// simulator returns what simulates one seed on the store of the options.
func (o options) simulator(t *testing.T) func(seed uint64, trace bool) simulate.Result {
	cfg := simulate.Config{Database: newInMemory, Mutant: o.guardless(t), Marking: o.mark}
	with := func(seed uint64, trace bool) simulate.Config {
		cfg.Seed, cfg.Trace = seed, trace
		return cfg
	}
	switch o.store {
	case "sqlite", "postgres":
		d := newSQLite
		if o.store == "postgres" {
			d = newPostgres
		}
		on := d(t)
		return func(seed uint64, trace bool) simulate.Result { return runOn(t, on, with(seed, trace)) }
	}
	return func(seed uint64, trace bool) simulate.Result { return run(t, with(seed, trace)) }
}

func (o options) guardless(t *testing.T) simulate.Mutant {
	for _, m := range simulate.Mutants() {
		if m.Name == o.mutant {
			return m
		}
	}
	if o.mutant != "" {
		t.Fatalf("MUTANT=%s: no such guard", o.mutant)
	}
	return simulate.Mutant{}
}

// shard simulates every so manieth seed and tells the command how far it is, a
// summary to a line.
func shard(t *testing.T, o options) {
	simulated := o.simulator(t)
	var all simulate.Summary
	tell := func() {
		line, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("@%s\n", line)
	}
	told := time.Now()
	for seed := o.first + o.shard; seed < o.first+o.seeds; seed += o.shards {
		all.Add(simulated(seed, false))
		if time.Since(told) > 500*time.Millisecond {
			told = time.Now()
			tell()
		}
	}
	tell()
}

// replay shows one seed step by step.
func replay(t *testing.T, o options) {
	r := o.simulator(t)(o.first, true)
	lines := r.Trace
	if cut := len(lines) - o.tail; o.tail > 0 && cut > 0 {
		fmt.Printf("(%d lines before these)\n", cut)
		lines = lines[cut:]
	}
	fmt.Println(strings.Join(lines, "\n"))
	if r.Violation != "" {
		fmt.Printf("seed %d, %d steps, trace %016x: BROKEN: %s\n", r.Seed, r.Steps, r.Hash, r.Violation)
		t.Fail()
		return
	}
	fmt.Printf("seed %d, %d steps, trace %016x: every invariant held\n", r.Seed, r.Steps, r.Hash)
}

// command runs the seeds in several processes, shows how far they are, and ends
// with a table. It returns the exit status.
func command(o options) int {
	began := time.Now()
	fmt.Printf("simulating %d seeds over the %s store in %d processes\n", o.seeds, o.store, o.shards)
	parts := make([]simulate.Summary, o.shards)
	broken := make([]error, o.shards)
	var mu sync.Mutex
	var running sync.WaitGroup
	for n := range o.shards {
		running.Go(func() {
			broken[n] = child(n, func(s simulate.Summary) {
				mu.Lock()
				defer mu.Unlock()
				parts[n] = s
			})
		})
	}
	sum := func() (all simulate.Summary) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range parts {
			all.Join(p)
		}
		return all
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	progress(done, o, began, sum)
	return conclude(o, sum(), broken, time.Since(began))
}

// progress tells every few seconds how far the run is, until done.
func progress(done <-chan struct{}, o options, began time.Time, sum func() simulate.Summary) {
	ticker := time.NewTicker(3 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			s := sum()
			fmt.Printf("  %7d of %d seeds, %5.0f a second, %d faults, %d broke an invariant\n",
				s.Seeds, o.seeds, float64(s.Seeds)/time.Since(began).Seconds(), s.Faults.Sum(), s.Failed)
		}
	}
}

// stuckAfter is how long a process may come to no end of a seed.
const stuckAfter = 2 * time.Minute

// child runs one shard in a process of its own. One that hangs is told to show
// its goroutines.
func child(n uint64, heard func(simulate.Summary)) error {
	cmd := exec.Command(os.Args[0], "-test.timeout=0")
	cmd.Env = append(os.Environ(), "SIMULATE=shard", "SHARD="+strconv.FormatUint(n, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stuck := time.AfterFunc(stuckAfter, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer stuck.Stop()
	listen(out, func(s simulate.Summary) {
		stuck.Reset(stuckAfter)
		heard(s)
	})
	return cmd.Wait()
}

// listen reads the summaries among what a shard prints.
func listen(out io.Reader, heard func(simulate.Summary)) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "@")
		var s simulate.Summary
		if ok && json.Unmarshal([]byte(text), &s) == nil {
			heard(s)
		} else if lines.Text() != "PASS" {
			fmt.Println(lines.Text())
		}
	}
}

// conclude prints the table and what to do about each failure.
func conclude(o options, s simulate.Summary, broken []error, took time.Duration) int {
	fmt.Print(s.Table())
	fmt.Printf("%d seeds in %v\n", s.Seeds, took.Round(100*time.Millisecond))
	ok := s.Ok() && uint64(s.Seeds) == o.seeds
	for n, err := range broken {
		if err != nil {
			fmt.Printf("FAILED: process %d: %v; its seeds are those with remainder %d by %d\n", n, err, n, o.shards)
			ok = false
		}
	}
	for _, f := range s.Failures {
		fmt.Printf("to see it again: make simulate STORE=%s SEED=%d\n", o.store, f.Seed)
	}
	if len(s.Failures) > 0 {
		fmt.Printf("how seed %d ended:\n", s.Failures[0].Seed)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SEED="+strconv.FormatUint(s.Failures[0].Seed, 10), "TAIL=50")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		_ = cmd.Run() // it fails as the seed does
	}
	if !ok {
		fmt.Println("simulate: FAILED")
		return 1
	}
	fmt.Println("simulate: every invariant held, and every kind of fault fired")
	return 0
}
