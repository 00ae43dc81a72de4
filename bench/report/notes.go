package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// footnotes are what makes systems unequal, in the order in which they are marked.
func footnotes(run *result.Run) []string {
	var notes []string
	for i, system := range noted(run) {
		notes = append(notes, fmt.Sprintf("%s %s: %s", raised(i+1), system, run.Notes[system]))
	}
	return notes
}

func noted(run *result.Run) []string {
	return slices.DeleteFunc(systems(run), func(system string) bool { return run.Notes[system] == "" })
}

// marked is a system's name with the mark of its footnote, if it has one.
func marked(run *result.Run, system string) string {
	if i := slices.Index(noted(run), system); i >= 0 {
		return system + raised(i+1)
	}
	return system
}

// raised is a number in superscript digits.
func raised(n int) string {
	digits := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	return strings.Map(func(d rune) rune { return digits[d-'0'] }, fmt.Sprint(n))
}

// legend says how to read the tables.
func legend(run *result.Run) string {
	rounds := 0
	for _, s := range run.Samples {
		rounds = max(rounds, s.Round)
	}
	return fmt.Sprintf("median [least..most] of %d rounds. \"postrider is\" divides Postrider's value by that of the line above, "+
		"round by round; \"%s\" is where Postrider does worse. CPU is of all processes: callers, system, servers, sink.", rounds, behindSign)
}
