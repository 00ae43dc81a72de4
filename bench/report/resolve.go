package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// In the measure of a goal these stand for the smallest and the largest number that the
// product was measured with: of waiting mails, or of MiB that one of its processes had.
const (
	least = "<least>"
	most  = "<most>"
)

// resolve returns the measure that is meant. Where nothing was measured that is meant,
// it stays as it is, which no sample has.
func resolve(run *result.Run, measure string) string {
	if measure == result.Memory(most) {
		return largest(run)
	}
	for _, which := range []string{least, most} {
		before, after, ok := strings.Cut(measure, which)
		if !ok {
			continue
		}
		numbers := between(run, product, before, after)
		if len(numbers) == 0 {
			continue
		}
		n := numbers[0]
		if which == most {
			n = numbers[len(numbers)-1]
		}
		return fmt.Sprintf("%s%d%s", before, n, after)
	}
	return measure
}

// largest is the memory of the process that had the most in any round.
func largest(run *result.Run) string {
	var top float64
	name := result.Memory(most)
	for _, measure := range measures(run, product, result.Memory("")) {
		if s := run.Spread(product, measure); s.Most > top {
			top, name = s.Most, measure
		}
	}
	return name
}

// subject is what a measure is of where its goal leaves that open: how many mails waited,
// or which process; "" otherwise.
func subject(measure string) string {
	if process, ok := strings.CutPrefix(measure, result.Memory("")); ok {
		return process
	}
	kind, rest, _ := strings.Cut(measure, "-")
	digits, _, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(digits); err == nil && (kind == "backlog" || kind == "critical") {
		return Count(n) + " waiting"
	}
	return ""
}
