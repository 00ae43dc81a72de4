package message

import "time"

// Schedule decides when a delivery is tried again, and when no more. It is the
// only place that does.
type Schedule struct {
	// Window is the sum of the planned waits a delivery may go through before
	// it fails with ReasonExhausted. Time in which Postrider or the relay host
	// was down is not charged. At least 10 s; 72 h by default.
	Window time.Duration
}

const (
	lastStep  = 4 * time.Hour
	maxHint   = 4 * time.Hour
	jitterPct = 20
)

// step is the planned wait after the given number of charged tries, from 1.
func step(tries int) time.Duration {
	steps := [...]time.Duration{
		10 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute,
		15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	}
	if tries <= len(steps) {
		return steps[max(tries, 1)-1]
	}
	return lastStep
}

// Next returns how long to wait after the given number of charged tries, the
// one just ended included. Hint is the wait the server asked for (0: none); it
// prolongs the planned wait, to 4 h at most. Random is in [0,1) and spreads the
// wait by 20 % to either side, so that mails refused together do not return
// together. ok is false when the window is over.
func (s Schedule) Next(tries int, hint time.Duration, random float64) (wait time.Duration, ok bool) {
	var planned time.Duration
	for n := 1; n <= tries; n++ {
		if planned += step(n); planned > s.Window {
			return 0, false
		}
	}
	return Jitter(max(step(tries), min(hint, maxHint)), random), true
}

// Jitter spreads d by 20 % to either side; random is in [0,1).
func Jitter(d time.Duration, random float64) time.Duration {
	return d + time.Duration(float64(d)*(2*random-1)*jitterPct/100)
}
