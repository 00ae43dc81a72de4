package simulate

import (
	"fmt"
	"time"
)

// trace is what happened: as a hash always, in words when asked for.
type trace struct {
	hash  uint64
	lines []string
	words bool
	start time.Time
}

func newTrace(words bool) trace { return trace{words: words, start: time.Now()} }

// add takes part of a step into the hash.
func (t *trace) add(part string) {
	const prime = 1099511628211
	for i := range len(part) {
		t.hash = (t.hash ^ uint64(part[i])) * prime
	}
	t.hash = (t.hash ^ 0xff) * prime
}

// call notes that a call was let go.
func (t *trace) call(c *call, l leave) {
	t.add(c.key)
	t.hash ^= uint64(l.end)<<32 ^ uint64(l.fault) ^ uint64(time.Since(t.start))
	t.add("")
	if !t.words {
		return
	}
	fault := ""
	if l.fault != NoFault {
		fault = " [" + l.fault.String() + "]"
	}
	t.line(fmt.Sprintf("%-5s %s %s%s%s", c.proc.name, c.kind, c.content, l.end, fault))
}

func (t *trace) fault(f Fault) {
	t.add(f.String())
	if t.words {
		t.line("      *** " + f.String())
	}
}

// result notes what a call came to.
func (t *trace) result(what string) {
	t.add(what)
	if t.words {
		t.line("        = " + what)
	}
}

func (t *trace) line(text string) {
	if t.words {
		t.lines = append(t.lines, fmt.Sprintf("%9.3fs  %s", time.Since(t.start).Seconds(), text))
	}
}
