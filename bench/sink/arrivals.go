package sink

import (
	"sync"
	"time"
)

// Summary is what has come so far.
type Summary struct {
	Count      int       // different mails
	Duplicates int       // copies beyond the first of a mail
	Strangers  int       // mails whose recipient has no number
	Last       time.Time // when the newest first copy came
}

// Arrivals keeps when each mail came, by its number. It is safe for concurrent use.
type Arrivals struct {
	mu      sync.Mutex
	summary Summary
	at      []int64 // nanoseconds since 1970; 0: not come
}

func (a *Arrivals) note(n int, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n < 0 {
		a.summary.Strangers++
		return
	}
	if n >= len(a.at) {
		a.at = append(a.at, make([]int64, n+1-len(a.at))...)
	}
	if a.at[n] != 0 {
		a.summary.Duplicates++
		return
	}
	a.at[n] = at.UnixNano()
	a.summary.Count++
	a.summary.Last = at
}

// Reset forgets everything.
func (a *Arrivals) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.summary, a.at = Summary{}, nil
}

// Summary is what has come so far.
func (a *Arrivals) Summary() Summary {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.summary
}

// Times are when the mails from number first on came, count of them, in nanoseconds
// since 1970; 0 for one that has not.
func (a *Arrivals) Times(first, count int) []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	times := make([]int64, count)
	if first < len(a.at) {
		copy(times, a.at[first:])
	}
	return times
}
