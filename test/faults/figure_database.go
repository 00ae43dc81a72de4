package main

import (
	"context"
	"fmt"
	"time"
)

func databaseFigures() []experiment {
	return []experiment{{
		name:     "postgres-restarted",
		requires: "Postgres restarted without a checkpoint every 20 s for 5 min: lost 0, duplicated 0, another answer than 202 only while it is down or within 2 s after",
		takes:    6 * time.Minute,
		run:      postgresRestarted(),
	}}
}

// comingBack is how long after its return the database may still be missed.
const comingBack = 2 * time.Second

func postgresRestarted() playFunc {
	const kind = "Postgres restarted"
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(by("postgres-start"))
		stop := s.load(ctx, rate)
		err = s.every(ctx, 20*time.Second, s.lasting(5*time.Minute), func(ctx context.Context) error {
			return s.harm(ctx, kind, by("postgres-restart"))
		})
		stop()
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		refused, late := s.refusals()
		m.summary = fmt.Sprintf("%d restarts, down %s in all, %s, recovered %d; %d calls refused, the last %s after a return",
			len(s.faults), s.harmed(), counts(m.report), m.report.Recovered, refused, ms(late))
		v.require(late <= comingBack, "a call was refused %s after the database was back", ms(late))
		v.require(m.report.Duplicated == 0, "%d duplicates", m.report.Duplicated)
		return m, nil
	})
}

// refusals counts the calls that were not answered 2xx, and how long after a fault's
// end the latest of them ended; those during a fault are not late at all.
func (s *stage) refusals() (refused int, late time.Duration) {
	for _, c := range s.calls.Calls() {
		if c.Status/100 == 2 {
			continue
		}
		refused++
		late = max(late, s.sinceFault(c.Ended))
	}
	return refused, late
}

// sinceFault is how long before a time the last fault had ended.
func (s *stage) sinceFault(t time.Time) time.Duration {
	last := t.Sub(s.started) // no fault at all: since the beginning
	for i := range s.faults {
		if f := &s.faults[i]; !f.Begun.After(t) {
			last = max(0, t.Sub(f.Ended))
		}
	}
	return last
}
