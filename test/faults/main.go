// Command faults makes the figures of "What we promise and how it is tested": each
// experiment makes one fault on real processes, Postgres, RabbitMQ and SMTP, and
// adds a row to the record. A run that is interrupted goes on where it stopped.
//
//	go run ./test/faults -list
//	go run ./test/faults -only broker-killed
//	go run ./test/faults -only broker-killed -short 20s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const formFull = "full"

var (
	errNoSuch = errors.New("no such experiment")
	errFailed = errors.New("experiments failed")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1) //nolint:forbidigo // this is main; nothing is deferred here
	}
}

// options are the flags.
type options struct {
	list, table, resume bool
	classes             bool
	only, record        string
	services            string
	short               time.Duration
	times               int
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.BoolVar(&o.list, "list", false, "list the experiments and how long each takes")
	flags.BoolVar(&o.table, "table", false, "print the newest row of each experiment as a table in Markdown")
	flags.BoolVar(&o.classes, "classes", false, "print every class of fault and where it is held as a table in Markdown")
	flags.StringVar(&o.only, "only", "", "names, or the beginnings of names, parted by commas")
	flags.DurationVar(&o.short, "short", 0, "cut every long phase to this, to try an experiment out; 0: full length")
	flags.IntVar(&o.times, "times", 0, "repetitions of those that repeat; 0: as many as the figure wants")
	flags.BoolVar(&o.resume, "resume", true, "leave out what has passed with the same code")
	flags.StringVar(&o.services, "services", "faults", "the set of scripts/services.sh to harm; two runs at once need two")
	flags.StringVar(&o.record, "record", "test/faults/record.jsonl", "the file to which rows are added")
	err := flags.Parse(args)
	return o, err
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.classes {
		return writeFaultTable(out)
	}
	all := slices.Concat(figures(), points())
	chosen, err := choose(all, o.only)
	if err != nil {
		return err
	}
	if o.list {
		return list(out, chosen)
	}
	rec, err := openRecord(o.record)
	if err != nil {
		return err
	}
	if o.table {
		return rec.writeTable(out, chosen)
	}
	c, err := newCampaign(ctx, o, rec, out)
	if err != nil {
		return err
	}
	return errors.Join(c.run(ctx, chosen), c.close())
}

func list(out io.Writer, chosen []experiment) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range chosen {
		fmt.Fprintf(t, "%s\t%s\t%s\n", e.name, e.takes, e.requires)
	}
	return t.Flush()
}

// form names how a run is cut short, since only like is compared with like.
func (o *options) form() string {
	var cuts []string
	if o.short > 0 {
		cuts = append(cuts, "phases of "+o.short.String())
	}
	if o.times > 0 {
		cuts = append(cuts, fmt.Sprintf("%d times", o.times))
	}
	if len(cuts) == 0 {
		return formFull
	}
	return strings.Join(cuts, ", ")
}

// command is how a stranger repeats the experiment.
func (o *options) command(name string) string {
	c := "make faults ONLY=" + name
	if o.short > 0 {
		c += " SHORT=" + o.short.String()
	}
	if o.times > 0 {
		c += fmt.Sprintf(" TIMES=%d", o.times)
	}
	return c
}
