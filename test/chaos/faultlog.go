package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider/test/check"
)

// faultLog keeps the faults as they were made, and what went wrong in making them. It
// is safe for concurrent use.
type faultLog struct {
	mu     sync.Mutex
	made   []check.Fault
	wrongs []string
	late   int    // faults whose part was not back in time
	still  string // what was not at rest when that was asked last
}

// begin notes a fault that is being made; its number is for the notes that follow.
func (l *faultLog) begin(f planned) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = append(l.made, check.Fault{Begun: time.Now(), Kind: f.kind.name, Victim: f.target()})
	return len(l.made) - 1
}

// end notes that what was away or held still is back.
func (l *faultLog) end(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[i].Ended = time.Now()
}

// sends notes how many outcomes the fault can have lost.
func (l *faultLog) sends(i, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[i].Sends = n
}

// wrong notes what should not happen, whatever the fault.
func (l *faultLog) wrong(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrongs = append(l.wrongs, fmt.Sprintf("%s %v", time.Now().Format("15:04:05.000"), err))
}

// omit notes faults that are not made because their part was away until the end.
func (l *faultLog) omit(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late += n
}

func (l *faultLog) omitted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.late
}

func (l *faultLog) all() (made []check.Fault, wrongs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.made), slices.Clone(l.wrongs)
}

// unrest notes what is not at rest now that the faults are over.
func (l *faultLog) unrest(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.still = what
}

func (l *faultLog) restless() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.still
}

// last tells of the newest fault, and once they are over of what is not at rest.
func (l *faultLog) last() (count int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.still != "" {
		return len(l.made), "over; " + l.still
	}
	if len(l.made) == 0 {
		return 0, "none"
	}
	f := l.made[len(l.made)-1]
	return len(l.made), f.Kind + " " + f.Victim
}
