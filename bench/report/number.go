package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// human is a number of three digits, such as 0.256, 4.33, 12.3k or 1.20M.
func human(v float64) string {
	switch abs := math.Abs(v); {
	case v == 0:
		return "0"
	case abs < 0.9995:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case abs < 999.5:
		return digits(v)
	case abs < 999_500:
		return digits(v/1000) + "k"
	default:
		return digits(v/1e6) + "M"
	}
}

func digits(v float64) string {
	switch abs := math.Abs(v); {
	case abs < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case abs < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
}

// Count is a whole number as tables write it, such as 500, 10k or 1M.
func Count(n int) string {
	switch {
	case n > 0 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n > 0 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return strconv.Itoa(n)
}

// ratio is a number of two digits below 1: more is noise.
func ratio(v float64) string {
	if v >= 0.0995 && v < 1 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return human(v)
}

// spread is "median [least..most]", or the median where all rounds agree; "" of none.
func spread(s result.Spread) string { return spreadIn(s, "", human) }

// times is a spread of ratios.
func times(s result.Spread) string { return spreadIn(s, timesUnit, ratio) }

const timesUnit = "x"

func spreadIn(s result.Spread, unit string, number func(float64) string) string {
	if s.Rounds == 0 {
		return ""
	}
	least, most := number(s.Least), number(s.Most)
	if least == most {
		return number(s.Median) + unit
	}
	return fmt.Sprintf("%s%s [%s..%s]", number(s.Median), unit, least, most)
}

// listed is "name value" of all, in the order of the names.
func listed(values map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(values) {
		parts = append(parts, name+" "+values[name])
	}
	return strings.Join(parts, ", ")
}
