package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

// rate is the load of the figures, in mails a second: one that two cores carry
// beside a broker that starts again.
const rate = 40

func brokerFigures() []experiment {
	return []experiment{
		{
			name:     "broker-killed",
			requires: "broker killed every 20 s for 5 min: lost 0, duplicated 0, every mail accepted at the first call, p99 of acceptance under 1 s in every 10 s",
			takes:    6 * time.Minute,
			run:      brokerAgainAndAgain("broker killed", by("rabbitmq-restart"), 5*time.Minute),
		},
		{
			name:     "broker-restarted",
			requires: "broker stopped and started by its operator every 20 s for 2 min: lost 0, duplicated 0, every mail accepted at the first call, p99 of acceptance under 1 s in every 10 s",
			takes:    3 * time.Minute,
			run:      brokerAgainAndAgain("broker restarted", (*stage).restartBroker, 2*time.Minute),
		},
		{
			name:     "broker-killed-idle",
			requires: "broker killed while nothing is to do, 5 times: the next mail is sent within 30 s, no process exits",
			takes:    2 * time.Minute,
			run:      brokerKilledIdle(),
		},
		{
			name:     "broker-paused",
			requires: "broker held still for 90 s: every mail accepted, every process says so, all sent within 60 s after, lost 0, duplicated 0",
			takes:    4 * time.Minute,
			run:      brokerAway("broker held still", 90*time.Second, by("rabbitmq-pause"), by("rabbitmq-resume")),
		},
		{
			name:     "broker-away",
			requires: "broker away for 10 min: every mail accepted, no process exits, every process says so, all sent within 60 s after, lost 0, duplicated 0",
			takes:    12 * time.Minute,
			run:      brokerAway("broker away", 10*time.Minute, by("rabbitmq-kill"), by("rabbitmq-start")),
		},
		{
			name:     "connections-closed",
			requires: "all connections to the broker closed every 3 s for 1 min, each mail taking 2 s, 4 consumers: lost 0, duplicated 0",
			takes:    3 * time.Minute,
			run:      connectionsClosed(),
		},
	}
}

// restartBroker leaves the node itself running, as its operator does.
func (s *stage) restartBroker(ctx context.Context) error {
	_, err := s.services.RabbitMQCtl(ctx, "stop_app")
	_, again := s.services.RabbitMQCtl(ctx, "start_app")
	return errors.Join(err, again)
}

func brokerAgainAndAgain(kind string, fault deed, length time.Duration) playFunc {
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(by("rabbitmq-start"))
		stop := s.load(ctx, rate)
		err = s.every(ctx, 20*time.Second, s.lasting(length), func(ctx context.Context) error {
			return s.harm(ctx, kind, fault)
		})
		stop()
		if err != nil {
			return m, err
		}
		p99, worst := latencies(s.calls.Calls(), 10*time.Second)
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		m.summary = fmt.Sprintf("%d faults, %s, accept p99 %s, worst in 10 s %s", len(s.faults), counts(m.report), ms(p99), ms(worst))
		v.require(worst < time.Second, "accept p99 was %s", ms(worst))
		s.requireAccepted(v)
		v.require(m.report.Duplicated == 0, "%d duplicates", m.report.Duplicated)
		return m, nil
	})
}

func brokerKilledIdle() playFunc {
	const kind = "broker killed"
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(by("rabbitmq-start"))
		var slowest time.Duration
		for n := range s.repeat(5) {
			if err := s.harm(ctx, kind, by("rabbitmq-restart")); err != nil {
				return m, err
			}
			begun := time.Now()
			s.post(ctx, 1)
			limited, cancel := context.WithTimeout(ctx, time.Minute)
			err := s.sink().AwaitMails(limited, n+1)
			cancel()
			v.require(err == nil, "mail %d was not sent within a minute", n+1)
			slowest = max(slowest, time.Since(begun))
		}
		v.require(slowest < 30*time.Second, "a mail took %s", slowest)
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		m.summary = fmt.Sprintf("%d kills, slowest mail %s, %s", len(s.faults), ms(slowest), counts(m.report))
		return m, nil
	})
}

// lasting is a fault that stays for a while.
func lasting(length time.Duration, begin, end deed) deed {
	return func(s *stage, ctx context.Context) error {
		if err := begin(s, ctx); err != nil {
			return err
		}
		return errors.Join(sleep(ctx, s.lasting(length)), end(s, ctx))
	}
}

// brokerAway takes the broker away for a while under load.
func brokerAway(kind string, length time.Duration, away, back deed) playFunc {
	return onStage(plan{faults: []string{kind}}, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(back)
		stop := s.load(ctx, rate/4)
		watch := s.watchHealth(ctx)
		err = s.harm(ctx, kind, lasting(length, away, back))
		unwell := watch()
		stop()
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, time.Minute, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		s.requireNoticed(v, unwell, rig.Producer, rig.Consumer)
		m.summary = fmt.Sprintf("%s for %s, %s, all sent %s after; %s", kind, s.harmed(), counts(m.report), seconds(m.report.Settled), unwell)
		return m, nil
	})
}

func connectionsClosed() playFunc {
	const kind = "connections closed"
	p := plan{
		consumers: 4, faults: []string{kind},
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Data, Delay: 2 * time.Second}}},
	}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		stop := s.load(ctx, rate/2)
		err = s.every(ctx, 3*time.Second, s.lasting(time.Minute), func(ctx context.Context) error {
			return s.harm(ctx, kind, (*stage).closeConnections)
		})
		stop()
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 0, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		m.summary = fmt.Sprintf("closed %d times, %s", len(s.faults), counts(m.report))
		return m, nil
	})
}

func (s *stage) closeConnections(ctx context.Context) error {
	_, err := s.services.RabbitMQCtl(ctx, "close_all_connections", "a fault of a test")
	return err
}
