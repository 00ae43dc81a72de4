package main

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/test/rig"
)

//go:embed page.html
var pageText string

// page is what the report shows.
type page struct {
	OK         bool
	Result     *result
	Command    string
	Machine    rig.Machine
	Table      string // the checker's, as on the terminal
	Wrongs     []string
	Chart      chart
	Kinds      []kindRow
	Faults     []faultRow
	Settings   []string
	Quiet      string // from the last fault until all was drained
	Mode, Seed string
	Began      time.Time
	Duration   time.Duration
}

type kindRow struct {
	Kind        string
	Made, Sends int
}

type faultRow struct {
	At, Lasted   string
	Kind, Victim string
	Sends        int
}

func (r *result) writePage(ctx context.Context, a *arena, file string) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, r.page(ctx, a)); err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

func (r *result) page(ctx context.Context, a *arena) page {
	root, _ := rig.Root() // without it the commit is blank
	p := page{
		OK: r.ok(), Result: r, Machine: rig.ThisMachine(ctx, root, a.services), Table: r.report.Text(), Wrongs: r.wrongs,
		Command: r.o.command(), Chart: r.chart(), Quiet: "never", Mode: r.o.mode, Seed: fmt.Sprint(r.o.seed),
		Began: r.begun, Duration: r.o.duration,
	}
	if !r.evidence.Quiet.IsZero() {
		p.Quiet = r.evidence.Quiet.Sub(r.hurting).Round(100 * time.Millisecond).String()
	}
	for _, k := range r.report.Bound.Parts {
		p.Kinds = append(p.Kinds, kindRow{k.Kind, k.Fired, k.Sends})
	}
	settings := a.settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		p.Settings = append(p.Settings, name+"="+settings[name])
	}
	for _, f := range r.evidence.Faults {
		row := faultRow{At: r.since(f.Begun), Kind: f.Kind, Victim: f.Victim, Sends: f.Sends}
		if !f.Ended.IsZero() {
			row.Lasted = f.Ended.Sub(f.Begun).Round(10 * time.Millisecond).String()
		}
		p.Faults = append(p.Faults, row)
	}
	return p
}

func (r *result) since(t time.Time) string {
	return t.Sub(r.begun).Round(10 * time.Millisecond).String()
}

// command repeats the run: with the seed, which may not have been given.
func (o *options) command() string {
	args := slices.Clone(o.args)
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "seed") }) {
		args = append(args, "-seed", fmt.Sprint(o.seed))
	}
	return "make chaos ARGS='" + strings.Join(args, " ") + "'"
}
