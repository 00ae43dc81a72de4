package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/test/rig"
)

func soakFigures() []experiment {
	return []experiment{{
		name: "soak",
		requires: "20 min of load: over the second half the resident memory of every process grows by less than 10 %, " +
			"its goroutines and open files by less than 5 % or 5, each by the line through the least of every minute; lost 0, duplicated 0",
		takes: 22 * time.Minute,
		run:   soak(),
	}}
}

// gauges of a process, by name, over time.
type gauges map[string][]point

const (
	gaugeMemory     = "MiB resident"
	gaugeGoroutines = "goroutines"
	gaugeFiles      = "open files"
)

// allowed is how much a gauge with the given mean may grow over the second half.
func allowed(gauge string, mean float64) float64 {
	if gauge == gaugeMemory {
		return 0.10 * mean
	}
	return max(0.05*mean, 5)
}

func soak() playFunc {
	return onStage(plan{}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		length := s.lasting(20 * time.Minute)
		stop := s.load(ctx, rate)
		seen, err := s.gauge(ctx, length)
		stop()
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		var lines []string
		for _, member := range s.stack.Members() {
			lines = append(lines, member.Name+" "+s.flat(v, member.Name, seen[member.Name]))
		}
		m.summary = fmt.Sprintf("%s long, %s; %s", length, counts(m.report), strings.Join(lines, "; "))
		return m, nil
	})
}

// flat holds the second half of each gauge to the line through its floors. A run that was cut short is
// still warming up, and is not held to it.
func (s *stage) flat(v *verdict, member string, seen gauges) string {
	var texts []string
	for _, name := range []string{gaugeMemory, gaugeGoroutines, gaugeFiles} {
		half := seen[name][len(seen[name])/2:]
		span := half[len(half)-1].at.Sub(half[0].at)
		floors := floor(half, span/10+1)
		grown := slope(floors) * span.Minutes()
		least, most := extremes(half)
		if s.short == 0 {
			v.require(grown < allowed(name, mean(floors)), "%s of %s grew by %.1f", name, member, grown)
		}
		texts = append(texts, fmt.Sprintf("%.0f–%.0f %s (%+.1f)", least, most, name, grown))
	}
	return strings.Join(texts, ", ")
}

// gauge samples every process 240 times.
func (s *stage) gauge(ctx context.Context, length time.Duration) (map[string]gauges, error) {
	all := map[string]gauges{}
	pace := length / 240
	end := time.Now().Add(length)
	told := time.Now()
	for time.Now().Before(end) {
		if err := sleep(ctx, pace); err != nil {
			return nil, err
		}
		for _, m := range s.stack.Members() {
			if all[m.Name] == nil {
				all[m.Name] = gauges{}
			}
			if err := all[m.Name].sample(ctx, m); err != nil {
				return nil, err
			}
		}
		if time.Since(told) > 30*time.Second {
			told = time.Now()
			s.say("%d accepted; %s", s.calls.Accepted(), latest(all))
		}
	}
	return all, nil
}

func latest(all map[string]gauges) string {
	var parts []string
	for name, g := range all {
		memory, goroutines := g[gaugeMemory], g[gaugeGoroutines]
		parts = append(parts, fmt.Sprintf("%s %.0f MiB %.0f goroutines", name, memory[len(memory)-1].value, goroutines[len(goroutines)-1].value))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (g gauges) sample(ctx context.Context, m *rig.Member) error {
	usage, err := m.Process().Usage()
	if err != nil {
		return err
	}
	goroutines, err := metric(ctx, m, "go_goroutines")
	if err != nil {
		return err
	}
	now := time.Now()
	g[gaugeMemory] = append(g[gaugeMemory], point{now, float64(usage.RSS) / (1 << 20)})
	g[gaugeFiles] = append(g[gaugeFiles], point{now, float64(usage.FDs)})
	g[gaugeGoroutines] = append(g[gaugeGoroutines], point{now, goroutines})
	return nil
}

// metric reads one value of a process's /metrics.
func metric(ctx context.Context, m *rig.Member, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if found, value, _ := strings.Cut(lines.Text(), " "); found == name {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s: %w: no metric %s", m.Name, errUnmet, name)
}

func mean(points []point) float64 {
	var sum float64
	for _, p := range points {
		sum += p.value
	}
	return sum / float64(max(1, len(points)))
}
