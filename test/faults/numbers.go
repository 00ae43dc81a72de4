package main

import (
	"slices"
	"time"
)

// quantile is the smallest value that at least the part q of all do not exceed;
// zero of none. It sorts its argument.
func quantile(q float64, values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

// point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

// slope is the growth per minute of the line that fits the points best by least
// squares; zero of fewer than two.
func slope(points []point) float64 {
	n := float64(len(points))
	if n < 2 {
		return 0
	}
	var sx, sy, sxx, sxy float64
	for _, p := range points {
		x := p.at.Sub(points[0].at).Minutes()
		sx, sy, sxx, sxy = sx+x, sy+p.value, sxx+x*x, sxy+x*p.value
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// floor is the least value of each window, at the time of that value. Load comes in
// waves, a leak raises what is left between them.
func floor(points []point, window time.Duration) []point {
	var floors []point
	for i, p := range points {
		n := p.at.Sub(points[0].at) / window
		last := len(floors) - 1
		switch {
		case i == 0 || n > floors[last].at.Sub(points[0].at)/window:
			floors = append(floors, p)
		case p.value < floors[last].value:
			floors[last] = p
		}
	}
	return floors
}

// extremes are the smallest and the largest value.
func extremes(points []point) (least, most float64) {
	for i, p := range points {
		if i == 0 || p.value < least {
			least = p.value
		}
		if i == 0 || p.value > most {
			most = p.value
		}
	}
	return least, most
}
