package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// room says of each goal that others set by their rate or their CPU what it leaves to the
// product: how much CPU a mail may use on all cores together, less what goes to parts that
// no change of the product makes cheaper. They are medians.
func room(run *result.Run) table {
	t := table{
		title: "What goals leave of the CPU, ms a mail",
		heads: []string{"a mail may use", "callers, RabbitMQ and sink do", "leaves", "postrider and Postgres use"},
	}
	for _, g := range goals() {
		allowed, prefix := g.allows(run), g.phase()+"."+result.CPU+"."
		if allowed == 0 || len(measures(run, product, prefix)) == 0 {
			continue
		}
		var given, ours float64
		for _, part := range partsOf(run, []string{product}, prefix) {
			used := usedBy(run, product, prefix, part.name)
			if slices.Contains([]string{"callers", "rabbitmq", "sink"}, part.name) {
				given += used
			} else {
				ours += used
			}
		}
		cells := []string{human(allowed), human(given), human(allowed - given), human(ours)}
		t.rows = append(t.rows, row{label: g.what, cells: cells})
	}
	return t
}

// phase is what the goal's measure is of.
func (g goal) phase() string {
	phase, _, _ := strings.Cut(g.measure, ".")
	return phase
}

// allows is how much CPU a mail may use to meet the goal, in ms; 0: that does not follow
// from what others did in the run. A rate allows all that the cores have in that time.
func (g goal) allows(run *result.Run) float64 {
	theirs := run.Spread(g.to.system, cmp.Or(g.to.measure, g.measure)).Median
	cores, _ := strconv.Atoi(run.Machine["cores"])
	switch {
	case theirs == 0 || isOwn(g.to.system):
		return 0
	case strings.HasSuffix(g.measure, "."+result.CPU):
		return g.bound.value * theirs
	case strings.HasSuffix(g.measure, "."+result.Rate):
		return 1000 * float64(cores) / (g.bound.value * theirs)
	}
	return 0
}
