package metrics

import "time"

// DefineFault makes the counters of one part that the program stands on, with
// every cause it can name, at 0: a rate over a series that appears with the
// fault misses its beginning. A part may be defined more than once.
func (m *Metrics) DefineFault(part string, causes ...string) {
	for _, cause := range causes {
		m.faults.WithLabelValues(part, cause)
	}
	m.faultSeconds.WithLabelValues(part)
}

// FaultBegan counts a fault of the part, or its change to another cause.
func (m *Metrics) FaultBegan(part, cause string) { m.faults.WithLabelValues(part, cause).Inc() }

// FaultLasted adds to the time that the part has been at fault.
func (m *Metrics) FaultLasted(part string, d time.Duration) {
	m.faultSeconds.WithLabelValues(part).Add(d.Seconds())
}
