package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// noticeable is how long a fault may last until every process that it concerns has
// to say that it is not well.
const noticeable = 30 * time.Second

// symptoms are what processes said of themselves other than that they are well.
type symptoms struct {
	watched time.Duration
	first   map[string]symptom
}

type symptom struct {
	state string
	after time.Duration
}

func (s symptoms) String() string {
	if len(s.first) == 0 {
		return "no process said anything"
	}
	var list []string
	for name, one := range s.first {
		list = append(list, fmt.Sprintf("%s %s after %s", name, one.state, one.after.Round(100*time.Millisecond)))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// watchHealth asks every process every half second how it is, until the returned
// function is called.
func (s *stage) watchHealth(ctx context.Context) (end func() symptoms) {
	ctx, cancel := context.WithCancel(ctx)
	begun := time.Now()
	seen := symptoms{first: map[string]symptom{}}
	var done sync.WaitGroup
	done.Go(func() {
		for sleep(ctx, 500*time.Millisecond) == nil {
			for _, m := range s.stack.Members() {
				state := m.State(ctx)
				_, known := seen.first[m.Name]
				if !known && state != "ok" && state != "" && ctx.Err() == nil {
					seen.first[m.Name] = symptom{state, time.Since(begun)}
				}
			}
		}
	})
	return func() symptoms {
		cancel()
		done.Wait()
		seen.watched = time.Since(begun)
		return seen
	}
}

// requireNoticed wants every process of the programs to have said that it was not
// well, if the fault was long enough.
func (s *stage) requireNoticed(v *verdict, seen symptoms, programs ...string) {
	if seen.watched < noticeable {
		return
	}
	for _, m := range s.stack.Members() {
		if !slices.Contains(programs, m.Program) {
			continue
		}
		_, noticed := seen.first[m.Name]
		v.require(noticed, "%s said nothing", m.Name)
	}
}
