package test

import (
	"slices"
	"testing"
	"time"
)

// An idle Postrider hands a posted mail to the relay host because it was woken,
// not because it looked: what is measured is from the API's answer, which comes
// after the commit, until the relay host has taken the mail.
//
//	go test ./test -run '^$' -bench Idle
func BenchmarkIdlePostToRelayHost(b *testing.B) {
	for _, m := range []mode{embedded, distributed} {
		b.Run(string(m), func(b *testing.B) {
			s := newStack(b, m, setting{consumers: 1})
			s.post(mail("warm@example.com"))
			if err := s.relay.AwaitMails(b.Context(), 1); err != nil {
				b.Fatal(err)
			}
			var waits []time.Duration
			for b.Loop() {
				s.post(mail("ann@example.com"))
				committed := time.Now()
				if err := s.relay.AwaitMails(b.Context(), len(waits)+2); err != nil {
					b.Fatal(err)
				}
				waits = append(waits, time.Since(committed))
			}
			slices.Sort(waits)
			b.ReportMetric(milliseconds(waits[len(waits)/2]), "p50-ms")
			b.ReportMetric(milliseconds(waits[len(waits)*99/100]), "p99-ms")
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
