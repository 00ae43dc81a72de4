package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// TestEveryPointOnce plays every point that is quick enough once under either
// policy. A cast has one stage, on which its points follow each other.
func TestEveryPointOnce(t *testing.T) {
	g := testGrounds(t)
	byCast := map[cast][]*killPoint{}
	for _, p := range killPoints() {
		if !p.slow {
			byCast[p.cast] = append(byCast[p.cast], p)
		}
	}
	for c, points := range byCast {
		t.Run(fmt.Sprintf("%d producers, %d consumers", c.producers, c.consumers), func(t *testing.T) {
			t.Parallel()
			playAll(t, g, c, points)
		})
	}
}

func testGrounds(t *testing.T) *grounds {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	g := &grounds{}
	if g.services, err = rig.Shared(); err != nil {
		t.Fatal(err)
	}
	if g.programs, err = rig.Build(t.Context(), root, filepath.Join(t.TempDir(), "bin"), false); err != nil {
		t.Fatal(err)
	}
	return g
}

// playAll plays those first after which nothing is left to wait for.
func playAll(t *testing.T, g *grounds, c cast, points []*killPoint) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := &bench{name: "points", started: time.Now(), out: io.Discard, grounds: g, dir: t.TempDir()}
	s, err := newScene(ctx, b, c, map[string]string{"POSTRIDER_LEASE": "6s", "POSTRIDER_SWEEP_INTERVAL": "1s"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	slices.SortStableFunc(points, func(a, b *killPoint) int { return int(a.end) - int(b.end) })
	played := map[*killPoint][]*episode{}
	for _, p := range points {
		begun := time.Now()
		if played[p], err = s.repeat(ctx, p, 1); err != nil {
			t.Fatal(err)
		}
		t.Logf("%-24s %s", p.name, time.Since(begun).Round(time.Millisecond))
	}
	judgeAll(ctx, t, s, played)
}

func judgeAll(ctx context.Context, t *testing.T, s *scene, played map[*killPoint][]*episode) {
	var v verdict
	report, err := s.judge(ctx, 0, &v)
	if err != nil {
		t.Fatal(err)
	}
	for p, episodes := range played {
		f, err := s.findings(ctx, episodes)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-24s %s", p.name, f)
		f.requireEnds(&v)
	}
	if err := v.err(); err != nil {
		t.Errorf("%v\n%s", err, report.Text())
	}
}
