package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check/witness"
)

// settledWithin is what is promised of a mail whose worker died with its outcome.
const settledWithin = 30 * time.Second

// series repeats a point on a stage of its own and has all of it judged.
func series(ctx context.Context, b *bench, p *killPoint) (m measurement, err error) {
	s, err := newScene(ctx, b, p.cast, p.env)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var v verdict
	played, err := s.repeat(ctx, p, b.repeat(p.times), policies())
	if err != nil {
		return m, err
	}
	if m.report, err = s.judge(ctx, 0, &v); err != nil {
		return m, err
	}
	f, err := s.findings(ctx, played)
	if err != nil {
		return m, err
	}
	f.require(&v, p)
	m.summary = fmt.Sprintf("%d faults, lost %d, duplicated %d; %s", len(s.faults), m.report.Lost, m.report.Duplicated, f)
	return m, v.err()
}

// repeat plays a point n times under each policy. It ends with the first that
// goes wrong.
func (s *scene) repeat(ctx context.Context, p *killPoint, n int, under []message.OnUnknown) ([]*episode, error) {
	var played []*episode
	for i := range n {
		for _, policy := range under {
			e := s.episode(p, i, policy)
			if err := e.play(ctx); err != nil {
				return played, fmt.Errorf("%s, repetition %d under %s: %w", p.name, i+1, policy, err)
			}
			played = append(played, e)
		}
		if (i+1)%20 == 0 {
			s.say("%s: %d times under resend and under hold", p.name, i+1)
		}
	}
	return played, nil
}

// findings are what became of the mails of a series.
type findings struct {
	wrong   []string // mails that did not end as they should
	unknown int      // mails that ended so
	again   int      // mails of which there are two copies
	taken   []time.Duration
	settled []time.Duration
}

// findings looks at every mail by itself, once all have ended.
func (s *scene) findings(ctx context.Context, played []*episode) (*findings, error) {
	f := &findings{}
	copies := map[string]int{}
	for _, c := range witness.Copies(s.transactions()) {
		copies[c.Recipient]++
	}
	for _, e := range played {
		o, err := e.outcome(ctx)
		if err != nil {
			return nil, err
		}
		o.copies = copies[e.address]
		if why := o.wrong(e); why != "" {
			f.wrong = append(f.wrong, e.address+" "+why)
		}
		f.add(o, e)
	}
	return f, nil
}

func (f *findings) add(o outcome, e *episode) {
	if o.status == message.StatusUnknown {
		f.unknown++
	}
	if o.copies > 1 {
		f.again++
	}
	if e.point.within > 0 && !o.lastTry.IsZero() {
		f.taken = append(f.taken, o.lastTry.Sub(e.struck))
	}
	if e.point.end != sentOnce {
		f.settled = append(f.settled, o.finished.Sub(e.struck))
	}
}

func (f *findings) requireEnds(v *verdict) {
	v.require(len(f.wrong) == 0, "%d mails did not end as they should: %s", len(f.wrong), strings.Join(f.wrong[:min(3, len(f.wrong))], "; "))
}

// require wants also the times, which only a figure can promise: other tests share
// the machine with this one.
func (f *findings) require(v *verdict, p *killPoint) {
	f.requireEnds(v)
	if p.within > 0 {
		v.require(quantile(1, f.taken) <= p.within, "a mail came into another's hands after %s", ms(quantile(1, f.taken)))
	}
	if p.end == inWindow || p.end == marked {
		v.require(quantile(1, f.settled) <= settledWithin, "a mail was settled after %s", ms(quantile(1, f.settled)))
	}
}

func (f *findings) String() string {
	var said []string
	if len(f.taken) > 0 {
		said = append(said, fmt.Sprintf("in another's hands after %s, at most %s", ms(quantile(0.5, f.taken)), ms(quantile(1, f.taken))))
	}
	if len(f.settled) > 0 {
		said = append(said, fmt.Sprintf("%d unknown, %d in two copies, settled after %s, at most %s", f.unknown, f.again,
			quantile(0.5, f.settled).Round(100*time.Millisecond), quantile(1, f.settled).Round(100*time.Millisecond)))
	}
	if len(said) == 0 {
		return "every mail sent once"
	}
	return strings.Join(said, "; ")
}

// outcome is how a mail ended.
type outcome struct {
	status   message.Status
	doubts   int // unknown outcomes on record
	finished time.Time
	lastTry  time.Time // when the last try began
	copies   int
	rows     int
}

func (e *episode) outcome(ctx context.Context) (outcome, error) {
	var o outcome
	var finished, tried sql.NullInt64
	err := e.stack.DB().QueryRowContext(ctx, `
		SELECT min(status), min(unknown_outcomes), min(finished_at), count(*),
			(SELECT max(a.started_at) FROM attempts a JOIN deliveries m ON m.message_id = a.message_id AND m.n = a.n WHERE m.address = $1)
		FROM deliveries WHERE address = $1`, e.address).Scan(&o.status, &o.doubts, &finished, &o.rows, &tried)
	if err != nil {
		return o, fmt.Errorf("how %s ended: %w", e.address, err)
	}
	if finished.Valid {
		o.finished = time.UnixMilli(finished.Int64)
	}
	if tried.Valid {
		o.lastTry = time.UnixMilli(tried.Int64)
	}
	return o, nil
}

// want is what a mail may end as.
type want struct {
	status message.Status
	doubts int
	copies []int
}

func (e ending) want(policy message.OnUnknown) want {
	held := policy == message.Hold
	switch {
	case e == inWindow && held:
		return want{message.StatusUnknown, 1, []int{0, 1}}
	case e == inWindow:
		return want{message.StatusSent, 1, []int{1, 2}}
	case e == marked && held:
		return want{message.StatusUnknown, 1, []int{0}}
	case e == marked:
		return want{message.StatusSent, 1, []int{1}}
	case e == settledLate && held:
		return want{message.StatusSent, 1, []int{1}}
	case e == settledLate:
		return want{message.StatusSent, 1, []int{1, 2}}
	default:
		return want{message.StatusSent, 0, []int{1}}
	}
}

// wrong says what is not as it should be; "" if all is.
func (o *outcome) wrong(e *episode) string {
	w := e.point.end.want(e.onUnknown)
	switch {
	case o.rows != 1:
		return fmt.Sprintf("is %d deliveries", o.rows)
	case o.status != w.status:
		return fmt.Sprintf("is %s, not %s", o.status, w.status)
	case o.doubts != w.doubts:
		return fmt.Sprintf("has %d unknown outcomes on record, not %d", o.doubts, w.doubts)
	case !slices.Contains(w.copies, o.copies):
		return fmt.Sprintf("has %d copies, not %v", o.copies, w.copies)
	case e.point.end.bound() == 0 && e.point.end == sentOnce && e.sends > 0:
		return fmt.Sprintf("was hit in the window: %d marked sends", e.sends)
	}
	return ""
}
