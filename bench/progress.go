package main

import (
	"fmt"
	"os"
	"time"
)

// progress says on standard error what a run is at, and about how long it will go on:
// as steps are expected to take, made right by how long those before took.
type progress struct {
	steps    []step
	begun    time.Time
	took     time.Duration // of those that have ended
	expected time.Duration // of the same
}

func newProgress(steps []step) *progress { return &progress{steps: steps} }

func (p *progress) begin(i int) {
	p.begun = time.Now()
	say("[%d/%d] %s; %s left", i+1, len(p.steps), p.steps[i].what, p.left(i))
}

func (p *progress) end(i int, err error) {
	took := time.Since(p.begun)
	p.took, p.expected = p.took+took, p.expected+p.steps[i].expects
	if err != nil {
		say("[%d/%d] %s failed after %.0f s: %v", i+1, len(p.steps), p.steps[i].what, took.Seconds(), err)
	}
}

// left is in words, from the beginning of a step on.
func (p *progress) left(from int) string {
	var left time.Duration
	for _, s := range p.steps[from:] {
		left += s.expects
	}
	if p.expected > 0 {
		left = time.Duration(float64(left) * float64(p.took) / float64(p.expected))
	}
	if left < time.Minute {
		return "less than a minute"
	}
	return fmt.Sprintf("about %.0f min", left.Minutes())
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
