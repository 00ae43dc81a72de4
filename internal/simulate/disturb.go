package simulate

import (
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// judge decides how a call is let go. Most go on; those on a delivery's way
// meet faults more often than those that only look.
func (w *world) judge(c *call, now time.Time) leave {
	l := leave{roll: w.dice.Uint64()}
	if c.kind == kDispatch && w.cfg.Alone {
		l.then = w.rehearse(c.proc)
	}
	if c.store() && (w.database.awayUntil.After(now) || c.proc.cutOff(now)) && !c.answered {
		l.end = refuse
		return l
	}
	if !w.turbulent {
		return l
	}
	l.late = c.store() && !c.answered && w.dice.IntN(100) < w.profile.late
	if f := w.refusal(c); f != NoFault {
		w.fired(f)
		l.fault = f
		return l
	}
	if f := w.faultAt(c); f != NoFault {
		w.play(f, c, &l, now)
	}
	return l
}

// faultAt draws what goes wrong at a call. What the seed is to meet comes first.
func (w *world) faultAt(c *call) Fault {
	list := faultsAt(c)
	if w.counts[w.focus] == 0 && slices.Contains(list, w.focus) && w.dice.IntN(3) == 0 {
		return w.focus
	}
	if w.budget == 0 || w.dice.Float64() >= w.profile.calls*weight(c.kind) {
		return NoFault
	}
	w.budget--
	return list[w.dice.IntN(len(list))]
}

// weight is how much a fault at such a call tells.
func weight(k kind) float64 {
	switch k {
	case kAsk, kHear, kReady, kRenew, kClock, kLeases, kLost, kExpired, kDue, kDispatch, kBell, kReplay, kProbe:
		return 0.15
	case kDot, kReply, kMark, kRecord:
		return 2
	}
	return 1
}

// refusal draws what the relay host says at a verb.
func (w *world) refusal(c *call) Fault {
	name, ok := strings.CutPrefix(string(c.kind), string(kSMTP))
	if !ok || c.kind == kReply || c.kind == kProbe {
		return NoFault
	}
	list := []Fault{smtp4xx + Fault(verbDot), smtp5xx + Fault(verbDot), DropBeforeDot, DropAfterDot}
	for v := verbConnect; v < verbDot; v++ {
		if v.String() == name {
			list = []Fault{smtp4xx + Fault(v), smtp5xx + Fault(v), smtpDrop + Fault(v)}
		}
	}
	if w.counts[w.focus] == 0 && slices.Contains(list, w.focus) {
		return w.focus
	}
	if w.dice.Float64() >= w.profile.smtp {
		return NoFault
	}
	return list[w.dice.IntN(len(list))]
}

// faultsAt lists what can go wrong at a call.
func faultsAt(c *call) []Fault {
	crash := CrashConsumer
	if c.proc.place == nil {
		return []Fault{NoFault}
	}
	if c.proc.place.produces {
		crash = CrashProducer
	}
	switch c.kind {
	case kPublish:
		return []Fault{crash, Stall, Nacked, Returned, QueueFull, SessionCut}
	case kConfirm:
		return []Fault{CrashBeforeRelayCommit, CrashBeforeRelayCommit, ConfirmLost, StallPastLease, BrokerRestarts}
	case kCommit:
		return []Fault{CrashBeforeRelayCommit, ReplyLost, DatabaseRefuses, Stall, DatabaseRestarts}
	case kDeliver:
		return []Fault{crash, Reordered, SessionCut, CopyTwin}
	case kVerdict:
		return []Fault{crash, SessionCut, BrokerRestarts, Stall}
	case kDot:
		return []Fault{crash, StallPastLease, StallPastLease, DropAfterDotAccepted, Lost250, RelayHostSlow, SessionCut}
	case kReply:
		return []Fault{crash, crash, StallPastLease, SessionCut}
	case kProbe, kReady, kBell, kAnswer, kAsk, kHear:
		return []Fault{crash, Stall}
	}
	if strings.HasPrefix(string(c.kind), string(kSMTP)) {
		return []Fault{crash, StallPastLease, SessionCut, RelayHostDown}
	}
	if c.answered {
		return []Fault{crash, Stall, StallPastLease}
	}
	return []Fault{crash, CrashAfterCommit, Stall, StallPastLease, ReplyLost, DatabaseRefuses, DatabaseSlow}
}

// play makes a fault happen at a call.
func (w *world) play(f Fault, c *call, l *leave, now time.Time) {
	hinders := c.kind == kRenew
	switch f {
	case NoFault:
		return
	case CrashProducer, CrashConsumer, CrashBeforeRelayCommit:
		w.crash(c.proc, f)
		l.end = held
		return
	case CrashAfterCommit:
		w.doomed, w.doom, l.late = c.proc, f, true
		return
	case ReplyLost:
		l.end = lose
	case DatabaseRefuses:
		l.end = refuse
	case DatabaseSlow:
		c.after = now.Add(time.Duration(1+w.dice.IntN(8)) * time.Second)
		l.end = held
	case Nacked, Returned, QueueFull, ConfirmLost, Reordered, DropAfterDotAccepted, Lost250, RelayHostSlow:
		l.fault = f
	default:
		w.strike(f, c.proc, now)
		if l.roll%2 == 0 { // before the call, or after it
			l.end = held
		}
		return
	}
	if hinders {
		c.proc.hindered = now
	}
	w.fired(f)
}

// disturbances are bound to no call.
func disturbances() []Fault {
	return []Fault{
		StallPastLease, GracefulStop, DatabaseAway, DatabaseHangs, DatabaseRestarts, Partition, ClockBack, ClockForward,
		BrokerRestarts, SessionCut, Purged, QueueDeleted, CopyLost, CopyTwin, RelayHostDown,
		UserCancel, UserReschedule, UserRetry, RepeatPost, RepeatOtherBody,
	}
}

// disturb lets something happen that is bound to no call. It reports whether
// anything did.
func (w *world) disturb() bool {
	if !w.turbulent {
		return false
	}
	f := w.focus
	if w.counts[f] > 0 || !slices.Contains(w.disturbances, f) || w.dice.IntN(10) > 0 {
		if w.budget == 0 || w.dice.Float64() >= w.profile.world {
			return false
		}
		f = w.disturbances[w.dice.IntN(len(w.disturbances))]
		w.budget--
	}
	if f.ofCallers() {
		return w.steered(f)
	}
	var alive []*process
	for _, p := range w.places {
		if p.proc != nil && !p.proc.leaving {
			alive = append(alive, p.proc)
		}
	}
	if len(alive) == 0 {
		return false
	}
	w.strike(f, alive[w.dice.IntN(len(alive))], time.Now())
	return true
}

// steered lets a caller do something, if there is one who can.
func (w *world) steered(f Fault) bool {
	l := w.letters[w.dice.IntN(len(w.letters))]
	until := time.Duration(w.dice.IntN(20)) * time.Second
	if !l.acknowledged || l.key == "" && (f == RepeatPost || f == RepeatOtherBody) {
		return false
	}
	w.fired(f)
	w.call(func() {
		switch f {
		case RepeatPost, RepeatOtherBody:
			w.repeat(l, f == RepeatOtherBody)
		default:
			w.steer(l, f, until)
		}
	})
	return true
}

// strike makes a fault happen to a process, or to what all stand on.
func (w *world) strike(f Fault, p *process, now time.Time) {
	if w.profile.embedded && (f == BrokerRestarts || f == SessionCut) { // its queue is in the process: it has no sessions
		return
	}
	seconds := func(from, to int) time.Time {
		return now.Add(time.Duration(from*1000+w.dice.IntN((to-from)*1000)) * time.Millisecond)
	}
	b := w.broker
	switch f {
	case Stall:
		p.stalledUntil = seconds(1, 15)
	case StallPastLease:
		p.stalledUntil = seconds(21, 60)
	case GracefulStop:
		w.retire(p)
		return
	case DatabaseAway:
		w.database.awayUntil = seconds(2, 60)
	case DatabaseHangs:
		w.database.hangsUntil = seconds(2, 40)
	case DatabaseRestarts:
		w.store.Restart()
		w.database.life++
		w.database.awayUntil = seconds(0, 3)
	case Partition:
		p.partitionedUntil = seconds(5, 60)
	case ClockBack:
		w.database.offset -= time.Duration(1+w.dice.IntN(40)) * time.Second
	case ClockForward:
		w.database.offset += time.Duration(1+w.dice.IntN(40)) * time.Second
	case BrokerRestarts:
		w.restartBroker(seconds(0, 10))
	case SessionCut:
		b.cut(p)
	case RelayHostDown:
		w.host.downUntil = seconds(2, 30)
	default:
		if !w.spoil(f, now) {
			return
		}
	}
	if f == Stall || f == StallPastLease || f == Partition {
		p.hindered = latest(p.stalledUntil, p.partitionedUntil)
	}
	w.fired(f)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) restartBroker(until time.Time) {
	w.broker.downUntil = until
	for _, p := range w.places {
		if p.proc != nil {
			w.broker.cut(p.proc)
		}
	}
}

// spoil changes what waits at the broker. It reports whether there was anything
// to change.
func (w *world) spoil(f Fault, now time.Time) bool {
	b := w.broker
	switch f {
	case Purged:
		return b.purge() > 0
	case QueueDeleted:
		b.purge()
		for _, c := range slices.Clone(b.inHand) {
			b.lost[c.ref] = true
			b.drop(c)
		}
		b.missingUntil = now.Add(2 * time.Second)
		return true
	}
	for _, lane := range []message.Lane{message.LaneNormal, message.LaneHigh} {
		if n := len(b.lanes[lane]); n > 0 {
			at := w.dice.IntN(n)
			c := b.lanes[lane][at]
			switch f {
			case CopyLost:
				b.lost[c.ref] = true
				b.lanes[lane] = slices.Delete(b.lanes[lane], at, at+1)
			case CopyTwin:
				b.put(lane, c.ref)
			}
			return true
		}
	}
	return false
}

// rehearse draws the leaves of the calls within a relay's transaction, for a
// store on which nothing else may happen meanwhile: publish, confirm, commit.
func (w *world) rehearse(p *process) script {
	s := make(script, 3)
	for i := range s {
		s[i].roll = w.dice.Uint64()
		f := w.rehearsed(i)
		switch f {
		case NoFault:
		case CrashBeforeRelayCommit:
			s[i].end, w.doomed, w.doom = crashed, p, f
		case ReplyLost:
			s[i].end = lose
			w.fired(f)
		case DatabaseRefuses:
			s[i].end = refuse
			w.fired(f)
		default:
			s[i].fault = f
			w.fired(f)
		}
	}
	return s
}

// rehearsed draws what goes wrong at one of the three.
func (w *world) rehearsed(i int) Fault {
	list := [][]Fault{{Nacked, Returned, QueueFull}, {ConfirmLost, CrashBeforeRelayCommit}, {ReplyLost, DatabaseRefuses, CrashBeforeRelayCommit}}[i]
	switch {
	case !w.turbulent:
		return NoFault
	case w.counts[w.focus] == 0 && slices.Contains(list, w.focus):
		return w.focus
	case w.budget == 0 || w.dice.Float64() >= w.profile.calls:
		return NoFault
	}
	w.budget--
	return list[w.dice.IntN(len(list))]
}
