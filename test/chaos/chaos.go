package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/rig"
)

var errBroken = errors.New("promises were broken")

// chaos is the whole run.
func chaos(ctx context.Context, o *options, out io.Writer) (err error) {
	a, err := build(ctx, o, out)
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		if closeErr := a.close(closing); err == nil {
			err = closeErr
		}
	}()
	if err != nil {
		return err
	}
	r := a.hurt(ctx, out)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	if err := a.gather(ctx, r); err != nil {
		r.wrongs = append(r.wrongs, err.Error())
	}
	r.report = check.Run(&r.evidence)
	return r.publish(ctx, a, out)
}

// result is what a run leaves.
type result struct {
	o        *options
	sequence []planned
	begun    time.Time
	hurting  time.Time // when the faults were over
	samples  []sample
	evidence check.Evidence
	wrongs   []string
	omitted  int // faults of the sequence
	report   *check.Report
}

func (r *result) ok() bool { return r.report.OK() && len(r.wrongs) == 0 }

// hurt makes load and faults, then waits for rest.
func (a *arena) hurt(ctx context.Context, out io.Writer) *result {
	r := &result{o: a.o, sequence: plan(a.o), begun: time.Now()}
	fmt.Fprintf(out, "%d mails and %d faults in %v, seed %d\n", a.o.mails, len(r.sequence), a.o.duration, a.o.seed)
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	w := newWatch(a, out)
	watchers.Go(func() { w.run(watching) })
	watchers.Go(func() { a.supervise(watching) })

	load := rig.Load{APIs: a.stack.APIs(), Callers: a.o.callers, Rate: a.o.rate, Count: a.o.mails, Mail: mailOf(a.o.seed)}
	var work sync.WaitGroup
	work.Go(func() { load.Run(ctx, &a.calls) })
	a.makeFaults(ctx, r.sequence)
	r.hurting, r.omitted = time.Now(), a.faults.omitted()
	work.Wait()
	r.evidence.Quiet = a.settle(ctx, r.hurting)
	stop()
	watchers.Wait()
	r.samples = w.samples
	return r
}

// mailOf makes mails of every sort: every lane, one recipient or two, a tenth of them
// under hold.
func mailOf(seed uint64) func(int) rig.Mail {
	run := fmt.Sprintf("%08x", uint32(seed))
	lanes := append(message.Lanes(), message.LaneNormal, message.LaneNormal, message.LaneNormal)
	return func(i int) rig.Mail {
		to := []string{fmt.Sprintf("%d.%s@example.com", i, run)}
		if i%8 == 5 {
			to = append(to, fmt.Sprintf("%d.%s.too@example.com", i, run))
		}
		email := map[string]any{
			"from": "Shop <shop@sender.example>", "to": to, "subject": fmt.Sprintf("Order %d", i),
			"text": "Thank you for your order.\r\nIt is on its way.", "lane": lanes[i%len(lanes)],
		}
		if i%10 == 3 {
			email["on_unknown"] = message.Hold
		}
		return rig.NewMail(fmt.Sprintf("%s-%d", run, i), email)
	}
}
