package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The drawing's measures, in the units of its viewBox.
const (
	chartLeft   = 110.0
	chartWidth  = 880.0
	chartHeight = 200.0
	openHeight  = 60.0
	laneHeight  = 18.0
	gap         = 26.0
)

// chart is the timeline: mails accepted and sent per second, below them how many are
// open, below that a lane of faults for each part.
type chart struct {
	Width, Height    float64
	Left, Right      float64
	Accepted, Sent   string // points of polylines
	Open             string // points of a polygon
	Most, MostOpen   int    // what the tops stand for
	OpenTop, OpenEnd float64
	Bottom           float64 // of the rates
	Lanes            []lane
	Ticks            []tick
	Over             float64 // where the faults were over
}

type lane struct {
	Name string
	Y    float64
	Bars []bar
}

type bar struct {
	X, Y, Width, Height float64
	Class, Title        string
}

type tick struct {
	X    float64
	Text string
}

func (r *result) chart() chart {
	total := r.hurting.Sub(r.begun)
	if n := len(r.samples); n > 0 {
		total = max(total, r.samples[n-1].At)
	}
	c := chart{Width: chartLeft + chartWidth + 10, Left: chartLeft, Right: chartLeft + chartWidth, Bottom: chartHeight + 10}
	x := func(d time.Duration) float64 {
		return chartLeft + chartWidth*min(1, d.Seconds()/max(1, total.Seconds()))
	}
	c.Over = x(r.hurting.Sub(r.begun))
	c.rates(r.samples, x)
	c.backlog(r.samples, x)
	c.faultLanes(r, x)
	c.ticks(total, x)
	return c
}

// rates draws the differences between samples, which are not all of one length: a
// database that is away holds a sample up.
func (c *chart) rates(samples []sample, x func(time.Duration) float64) {
	accepted, sent := perSecond(samples, func(s sample) int { return s.Accepted }), perSecond(samples, func(s sample) int { return s.Sent })
	top := slices.Max(append(slices.Concat(accepted, sent), 1))
	c.Most = int(top + 0.5)
	c.Accepted, c.Sent = c.line(samples, accepted, top, x), c.line(samples, sent, top, x)
}

func perSecond(samples []sample, of func(sample) int) []float64 {
	rates := make([]float64, len(samples))
	var before sample
	for i, s := range samples {
		rates[i] = float64(of(s)-of(before)) / max(0.1, (s.At-before.At).Seconds())
		before = s
	}
	return rates
}

func (c *chart) line(samples []sample, values []float64, top float64, x func(time.Duration) float64) string {
	var points []string
	for i, s := range samples {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x(s.At), c.Bottom-chartHeight*values[i]/top))
	}
	return strings.Join(points, " ")
}

// backlog draws how many mails are open; a moment at which nobody could say is left
// out.
func (c *chart) backlog(samples []sample, x func(time.Duration) float64) {
	c.OpenTop = c.Bottom + gap
	c.OpenEnd = c.OpenTop + openHeight
	c.MostOpen = 1
	for _, s := range samples {
		c.MostOpen = max(c.MostOpen, s.Open)
	}
	points := []string{fmt.Sprintf("%.1f,%.1f", chartLeft, c.OpenEnd)}
	for _, s := range samples {
		if s.Open >= 0 {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(s.At), c.OpenEnd-openHeight*float64(s.Open)/float64(c.MostOpen)))
		}
	}
	if n := len(samples); n > 0 {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x(samples[n-1].At), c.OpenEnd))
	}
	c.Open = strings.Join(points, " ")
}

func (c *chart) faultLanes(r *result, x func(time.Duration) float64) {
	top := c.OpenEnd + gap
	for _, name := range victims(r) {
		l := lane{Name: name, Y: top + laneHeight*float64(len(c.Lanes))}
		for _, f := range r.evidence.Faults {
			if f.Victim != name {
				continue
			}
			begin, end := f.Begun.Sub(r.begun), f.Ended.Sub(r.begun)
			l.Bars = append(l.Bars, bar{
				X: x(begin), Y: l.Y + 3, Width: max(3, x(max(begin, end))-x(begin)), Height: laneHeight - 6,
				Class: f.Kind[strings.LastIndexByte(f.Kind, '-')+1:],
				Title: fmt.Sprintf("%s to %s at %s, %d sends in flight", f.Kind, f.Victim, r.since(f.Begun), f.Sends),
			})
		}
		c.Lanes = append(c.Lanes, l)
	}
	c.Height = top + laneHeight*float64(len(c.Lanes)) + 24
}

func victims(r *result) []string {
	var all []string
	for _, f := range r.evidence.Faults {
		all = append(all, f.Victim)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ticks marks a round step of time so that there are at most a dozen.
func (c *chart) ticks(total time.Duration, x func(time.Duration) float64) {
	step := 5 * time.Second
	for total/step > 12 {
		step *= 2
	}
	for at := time.Duration(0); at <= total; at += step {
		c.Ticks = append(c.Ticks, tick{x(at), at.String()})
	}
}
