package main

import (
	"context"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/test/rig"
)

// Some points, more often: go test ./test/faults -run Point -point relay -times 20.
var (
	pointFlag = flag.String("point", "", "play only points whose name begins so, slow ones too")
	timesFlag = flag.Int("times", 1, "repetitions of a point")
)

// TestEveryPointOnce plays every point that is quick enough once under either
// policy. A cast has one stage, on which its points follow each other; the stages
// mostly wait, so all are played at once, however few cores there are.
func TestEveryPointOnce(t *testing.T) {
	g := testGrounds(t)
	var stages sync.WaitGroup
	for c, points := range byCast() {
		stages.Go(func() {
			t.Run(c.name, func(t *testing.T) { playAll(t, g, c, points) })
		})
	}
	stages.Wait()
}

func byCast() map[cast][]*killPoint {
	chosen := map[cast][]*killPoint{}
	for _, p := range killPoints() {
		if *pointFlag == "" && !p.slow || *pointFlag != "" && strings.HasPrefix(p.name, *pointFlag) {
			chosen[p.cast] = append(chosen[p.cast], p)
		}
	}
	return chosen
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

func playAll(t *testing.T, g *grounds, c cast, points []*killPoint) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	b := &bench{name: "points", started: time.Now(), out: io.Discard, grounds: g, dir: t.TempDir()}
	env := map[string]string{"POSTRIDER_LEASE": "6s", "POSTRIDER_SWEEP_INTERVAL": "1s"}
	maps.Copy(env, points[0].env) // which is that of its cast
	s, err := newScene(ctx, b, c, env)
	if err != nil {
		t.Fatal(err)
	}
	defer finish(t, s)
	played := map[*killPoint][]*episode{}
	for _, p := range points {
		begun := time.Now()
		under := policies()
		if p.onlyOnce {
			under = under[:1]
		}
		if played[p], err = s.repeat(ctx, p, *timesFlag, under); err != nil {
			t.Fatal(err)
		}
		t.Logf("%-24s %s", p.name, time.Since(begun).Round(time.Millisecond))
	}
	judgeAll(ctx, t, s, played)
}

func finish(t *testing.T, s *scene) {
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if !t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		t.Logf("%s:\n%s", filepath.Base(name), text[max(0, len(text)-8_000):])
	}
}

func judgeAll(ctx context.Context, t *testing.T, s *scene, played map[*killPoint][]*episode) {
	var v verdict
	report, err := s.judge(ctx, patience, &v)
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
