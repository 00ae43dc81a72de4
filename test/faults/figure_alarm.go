package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

func alarmFigures() []experiment {
	const requires = " of the broker for 60 s: accepts all, consumers go on, published within 10 s after, every producer says so, lost 0, duplicated 0"
	return []experiment{
		{name: "memory-alarm", requires: "memory alarm" + requires, takes: 3 * time.Minute, run: alarm("memory alarm", "mem_alarm",
			ctl("set_vm_memory_high_watermark", "0.0001"), ctl("set_vm_memory_high_watermark", "0.4"))},
		{name: "disk-alarm", requires: "disk alarm" + requires, takes: 3 * time.Minute, run: alarm("disk alarm", "disk_free_alarm",
			ctl("set_disk_free_limit", "100000000000000"), ctl("set_disk_free_limit", "50000000"))},
	}
}

// ctl is a command of rabbitmqctl.
func ctl(args ...string) deed {
	return func(s *stage, ctx context.Context) error {
		_, err := s.services.RabbitMQCtl(ctx, args...)
		return err
	}
}

// publishedAfter is how long after an alarm the last of what waited may be published.
const publishedAfter = 10 * time.Second

// alarm has the broker block all who publish. So that consumers have work meanwhile,
// a backlog is with the broker before, and each mail takes its time.
func alarm(kind, flag string, set, unset deed) playFunc {
	p := plan{
		faults: []string{kind}, consumers: 1, env: map[string]string{"POSTRIDER_CONSUMERS": "normal:4"},
		script: smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: 200 * time.Millisecond}}},
	}
	return onStage(p, func(ctx context.Context, s *stage, v *verdict) (m measurement, err error) {
		s.afterwards(unset)
		length := s.lasting(time.Minute)
		s.post(ctx, int(length.Seconds())*15) // 4 at a time take at most 20 a second
		var begun, taken int
		stop := func() {}
		watch := s.watchHealth(ctx)
		err = s.harm(ctx, kind, lasting(length, func(s *stage, ctx context.Context) error {
			if err := errors.Join(set(s, ctx), s.awaitNode(ctx, flag)); err != nil {
				return err
			}
			begun = s.sink().Stats().Accepted
			stop = s.load(ctx, rate/4)
			return nil
		}, func(s *stage, ctx context.Context) error {
			taken = s.sink().Stats().Accepted - begun
			return unset(s, ctx)
		}))
		unwell := watch()
		stop()
		if err != nil {
			return m, err
		}
		published, err := s.awaitOutbox(ctx)
		if err != nil {
			return m, err
		}
		if m.report, err = s.judge(ctx, 2*time.Minute, v); err != nil {
			return m, err
		}
		s.requireAccepted(v)
		s.requireNoticed(v, unwell, rig.Producer)
		v.require(taken > int(length.Seconds()), "consumers sent only %d meanwhile", taken)
		v.require(published <= publishedAfter, "published %s after", seconds(published))
		m.summary = fmt.Sprintf("%s long, %d sent meanwhile, published %s after, %s; %s", s.harmed(), taken, seconds(published), counts(m.report), unwell)
		return m, nil
	})
}

// awaitNode waits until the broker says of itself that the alarm is on.
func (s *stage) awaitNode(ctx context.Context, flag string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return rig.Await(ctx, restEvery, flag, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.services.Management+"/api/nodes", nil)
		if err != nil {
			return false, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		defer func() { _ = res.Body.Close() }()
		var nodes []map[string]any
		err = json.NewDecoder(res.Body).Decode(&nodes)
		return err == nil && len(nodes) > 0 && nodes[0][flag] == true, err
	})
}

// awaitOutbox is how long it takes until nothing that is due waits for the broker.
func (s *stage) awaitOutbox(ctx context.Context) (time.Duration, error) {
	end := s.faults[len(s.faults)-1].Ended
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := rig.Await(ctx, restEvery, "an outbox without due rows", func() (bool, error) {
		n, err := s.outboxRows(ctx)
		return n == 0, err
	})
	return time.Since(end), err
}
