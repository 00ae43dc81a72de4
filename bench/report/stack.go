package report

import (
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/postrider/postrider/bench/result"
)

// parts draws a bar for each system that is made up of what uses CPU for it.
func parts(name func(string) string) func(*result.Run, *picture) error {
	prefix := name(result.CPU + ".")
	return func(run *result.Run, p *picture) error {
		found := slices.DeleteFunc(systems(run), func(s string) bool { return len(measures(run, s, prefix)) == 0 })
		p.rows = len(found)
		if p.rows == 0 {
			return nil
		}
		p.grid(false)
		keys, top := partsOf(run, found, prefix), 0.0
		for i, system := range found {
			total, err := p.stack(run, system, prefix, keys, float64(p.rows-1-i))
			if err != nil {
				return err
			}
			top = max(top, total)
		}
		p.nameRows(found)
		fromZero(&p.X, top)
		return p.explain(keys)
	}
}

// stack draws a system's parts end to end and returns how long they are together.
func (p *picture) stack(run *result.Run, system, prefix string, keys []part, y float64) (total float64, err error) {
	var end *plotter.BarChart
	for _, part := range keys {
		value := usedBy(run, system, prefix, part.name)
		if value == 0 {
			continue
		}
		if end, err = p.bar(value, y, colorOfPart(part.name, part.own), end); err != nil {
			return 0, err
		}
		total += value
	}
	return total, p.write(human(total), total, y)
}

// part is something that uses CPU.
type part struct {
	name string
	own  int // its place among what is no shared server
}

// partsOf are the parts of all these systems: callers, the systems' own processes by
// name, servers, sink.
func partsOf(run *result.Run, found []string, prefixes ...string) []part {
	names := map[string]bool{}
	for _, system := range found {
		for _, prefix := range prefixes {
			for _, measure := range measures(run, system, prefix) {
				names[kind(strings.TrimPrefix(measure, prefix))] = true
			}
		}
	}
	before, after := []string{"callers"}, []string{"postgres", "rabbitmq", "redis", "sink"}
	own := slices.DeleteFunc(sortedKeys(names), func(name string) bool {
		return slices.Contains(before, name) || slices.Contains(after, name)
	})
	var all []part
	for _, name := range slices.Concat(before, own, after) {
		if names[name] {
			all = append(all, part{name, slices.Index(own, name)})
		}
	}
	return all
}

// kind is a process's name without its number.
func kind(process string) string { return regexp.MustCompile(`-\d+$`).ReplaceAllString(process, "") }

// usedBy is the median CPU of all processes of a kind.
func usedBy(run *result.Run, system, prefix, name string) float64 {
	total := 0.0
	for _, measure := range measures(run, system, prefix) {
		if kind(strings.TrimPrefix(measure, prefix)) == name {
			total += run.Spread(system, measure).Median
		}
	}
	return total
}

// explain lists the parts beside the plot.
func (p *picture) explain(keys []part) error {
	for _, part := range keys {
		sample, err := plotter.NewBarChart(plotter.Values{1}, barWidth)
		if err != nil {
			return err
		}
		sample.Color, sample.LineStyle.Width = colorOfPart(part.name, part.own), 0
		p.legend.Add(part.name, sample)
	}
	p.side = vg.Points(100)
	return nil
}
