package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// product is the system that all others are held against.
const product = "postrider"

// order is the order in which systems are shown; others follow by name.
func order() []string {
	return []string{product, "postrider-null", "river", "river-default", "asynq", "watermill", "postfix"}
}

// isOwn reports whether the system is the product in some other configuration, which
// cannot be ahead of it or behind.
func isOwn(system string) bool { return strings.HasPrefix(system, product) }

// systems are those that have samples.
func systems(run *result.Run) []string {
	found := map[string]bool{}
	for _, s := range run.Samples {
		if s.System != result.Limit {
			found[s.System] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

func rank(system string) int {
	if i := slices.Index(order(), system); i >= 0 {
		return i
	}
	return len(order())
}

// measures are the names of a system's measures that begin so.
func measures(run *result.Run, system, prefix string) []string {
	found := map[string]bool{}
	for _, s := range run.Samples {
		if s.System == system && strings.HasPrefix(s.Measure, prefix) {
			found[s.Measure] = true
		}
	}
	return sortedKeys(found)
}

// between are the numbers that a system's measures have between these two parts of
// their name, from the smallest on: of backlog-10000.drain the 10000.
func between(run *result.Run, system, before, after string) []int {
	var numbers []int
	for _, name := range measures(run, system, before) {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(name, before), after)
		if n, err := strconv.Atoi(digits); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
