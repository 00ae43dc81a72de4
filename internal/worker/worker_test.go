package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/postrider/postrider/internal/message"
)

type rig struct {
	*Worker
	store  *storeFuncs
	sender *senderFuncs
	queue  *handOver
}

// run starts a worker with one channel inside a bubble of virtual time, and
// stops it after the test.
func run(t *testing.T, store *storeFuncs, sender *senderFuncs, test func(t *testing.T, r rig)) {
	synctest.Test(t, func(t *testing.T) {
		queue := newHandOver()
		w := New(Config{
			ID: uuid.New(), Channels: map[message.Lane]int{message.LaneNormal: 1}, Lease: 20 * time.Second,
			Schedule: message.Schedule{Window: 72 * time.Hour},
			Store:    store, DeadLetters: store, Queue: queue, Sender: sender,
		})
		w.Start()
		test(t, rig{w, store, sender, queue})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func (r rig) give(t *testing.T, want message.Verdict) {
	t.Helper()
	r.queue.copies <- aCopy()
	if got := <-r.queue.verdicts; got != want {
		t.Errorf("verdict %v, want %v", got, want)
	}
}

func (r rig) wantOutcome(t *testing.T, kind message.OutcomeKind, reason message.Reason) message.Outcome {
	t.Helper()
	got := r.store.recorded()
	if len(got) != 1 || got[0].Kind != kind || got[0].Reason != reason {
		t.Fatalf("recorded %+v, want one %s %q", got, kind, reason)
	}
	return got[0]
}

func TestVerdictFollowsTheRecordedOutcome(t *testing.T) {
	fault := func(f message.Fault) error {
		return &message.SendError{Fault: f, Reason: message.ReasonRejected, Code: 999, Text: "as scripted"}
	}
	for _, c := range []struct {
		name    string
		err     error
		kind    message.OutcomeKind
		reason  message.Reason
		verdict message.Verdict
	}{
		{"250", nil, message.OutcomeSent, "", message.VerdictAck},
		{"451", fault(message.FaultTemporary), message.OutcomeRetry, "", message.VerdictRequeue},
		{"550", fault(message.FaultPermanent), message.OutcomeFailed, message.ReasonRejected, message.VerdictReject},
		{"no reply to the dot", fault(message.FaultUnknown), message.OutcomeUnknown, "", message.VerdictAck},
		{"wrapped 451", fmt.Errorf("outer: %w", fault(message.FaultTemporary)), message.OutcomeRetry, "", message.VerdictRequeue},
		{"an error of no kind", errors.New("odd"), message.OutcomeRetry, "", message.VerdictRequeue},
	} {
		t.Run(c.name, func(t *testing.T) {
			sender := &senderFuncs{send: func(context.Context, func(context.Context) error) error { return c.err }}
			run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
				r.give(t, c.verdict)
				o := r.wantOutcome(t, c.kind, c.reason)
				if o.Kind == message.OutcomeRetry && (o.After < 8*time.Second || o.After > 12*time.Second) {
					t.Errorf("first retry after %v, want about 10 s", o.After)
				}
			})
		})
	}
}

func TestTheLastRetryIsAFailure(t *testing.T) {
	store := &storeFuncs{claim: func(b message.Bid) (message.Claim, error) {
		c := taken(b)
		c.Work.Attempts = 1000
		return c, nil
	}}
	sender := &senderFuncs{send: func(context.Context, func(context.Context) error) error {
		return &message.SendError{Fault: message.FaultTemporary}
	}}
	run(t, store, sender, func(t *testing.T, r rig) {
		r.give(t, message.VerdictReject)
		if o := r.wantOutcome(t, message.OutcomeRetry, ""); !o.Exhausted {
			t.Error("not marked as the last")
		}
	})
}

func TestARefusedMarkRecordsNothing(t *testing.T) {
	store := &storeFuncs{mark: func(message.Held) (bool, error) { return false, nil }}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		if got := r.store.recorded(); len(got) != 0 {
			t.Errorf("recorded %+v", got)
		}
	})
}

func TestAMarkWhoseReplyWasLostIsAskedAgain(t *testing.T) {
	asked := 0
	store := &storeFuncs{mark: func(message.Held) (bool, error) {
		if asked++; asked == 1 {
			return false, message.ErrUnavailable
		}
		return true, nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		r.wantOutcome(t, message.OutcomeSent, "")
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestAMarkThatTookMostOfTheLeaseIsRenewed(t *testing.T) {
	asked := 0
	store := &storeFuncs{mark: func(message.Held) (bool, error) {
		if asked++; asked == 1 {
			<-time.After(16 * time.Second) // virtual
		}
		return true, nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		if asked != 2 {
			t.Errorf("asked %d times, want again after 16 of 20 s", asked)
		}
	})
}

func TestTheCopyIsKeptWhileTheDatabaseIsAway(t *testing.T) {
	var start time.Time
	store := &storeFuncs{claim: func(b message.Bid) (message.Claim, error) {
		if time.Since(start) < time.Hour {
			return message.Claim{}, fmt.Errorf("claim: %w", message.ErrUnavailable)
		}
		return taken(b), nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		start = time.Now()
		r.give(t, message.VerdictAck)
		r.wantOutcome(t, message.OutcomeSent, "")
	})
}

func TestAClaimThatTheDatabaseRefusesIsNotRepeatedInALoop(t *testing.T) {
	store := &storeFuncs{claim: func(message.Bid) (message.Claim, error) {
		return message.Claim{}, errors.New("permission denied for table deliveries")
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		start := time.Now()
		for range 20 { // as often as a quorum queue hands a copy out
			r.give(t, message.VerdictRequeue)
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("20 claims failed within %v: the copy went round and round", took)
		}
	})
}

// Said as of one mail it would never be left out, and a fault of the database's would
// fill the disk with a line for each worker and each try.
func TestAClaimThatIsRefusedIsNotSaidOfItsMail(t *testing.T) {
	store := &storeFuncs{claim: func(message.Bid) (message.Claim, error) { return message.Claim{}, errors.New("permission denied") }}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		var out bytes.Buffer
		r.log = slog.New(slog.NewTextHandler(&out, nil)) // the hand-over of the copy comes after
		r.give(t, message.VerdictRequeue)
		if said := out.String(); !strings.Contains(said, "permission denied") || strings.Contains(said, " message=") {
			t.Errorf("the log says: %s", said)
		}
	})
}

func TestAWorkerThatPausesAfterAClaimStopsAtOnce(t *testing.T) {
	store := &storeFuncs{claim: func(message.Bid) (message.Claim, error) { return message.Claim{}, errors.New("refused") }}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		synctest.Wait()
		start := time.Now()
		if err := r.Stop(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("stopped after %v: %v", time.Since(start), err)
		}
	})
}

func TestAKnown250SurvivesAFaultThatIsNotTheDatabasesAbsence(t *testing.T) {
	refusals := 0
	store := &storeFuncs{record: func(message.Outcome) error {
		if refusals++; refusals <= 10 {
			return errors.New("internal error")
		}
		return nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		r.wantOutcome(t, message.OutcomeSent, "")
	})
}

func TestAnOutcomeThatIsNeverTakenDoesNotHoldItsWorkerForEver(t *testing.T) {
	store := &storeFuncs{record: func(message.Outcome) error { return errors.New("violates a constraint") }}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		start := time.Now()
		r.give(t, message.VerdictAck)
		if took := time.Since(start); took < time.Minute || took > time.Hour {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestAKnown250IsWrittenHoweverLongItTakes(t *testing.T) {
	var start time.Time
	store := &storeFuncs{record: func(message.Outcome) error {
		if time.Since(start) < time.Hour {
			return message.ErrUnavailable
		}
		return nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		start = time.Now()
		r.give(t, message.VerdictAck)
		r.wantOutcome(t, message.OutcomeSent, "")
	})
}

func TestTheRelayHostsFaultIsChargedToNoMail(t *testing.T) {
	down := true
	probes := 0
	sender := &senderFuncs{
		send: func(ctx context.Context, mark func(context.Context) error) error {
			if down {
				return &message.SendError{Fault: message.FaultRelayHost, Text: "connection refused"}
			}
			return mark(ctx)
		},
		probe: func() error {
			if probes++; probes < 10 {
				return errors.New("still refused")
			}
			down = false
			return nil
		},
	}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.give(t, message.VerdictRequeue)
		if o := r.wantOutcome(t, message.OutcomeReleased, ""); o.After <= 0 {
			t.Errorf("released to come back after %v: a loop", o.After)
		}
		synctest.Wait() // until the consumer is canceled
		if r.RelayHost() == nil {
			t.Error("the worker does not say that its relay host is down")
		}
		select {
		case r.queue.copies <- aCopy():
			t.Error("a copy was taken while the relay host is down")
		case <-time.After(time.Second):
		}
		r.give(t, message.VerdictAck) // blocks until the probe has opened the gate
		if probes != 10 {
			t.Errorf("%d probes", probes)
		}
	})
}

func TestStopLetsTheSendInHandFinish(t *testing.T) {
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(20 * time.Second) // virtual
		return mark(ctx)
	}}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		r.wantOutcome(t, message.OutcomeSent, "")
		if v := <-r.queue.verdicts; v != message.VerdictAck {
			t.Errorf("verdict %v", v)
		}
	})
}

func TestADrainedWorkerFinishesWhatItHasAndTakesNoMore(t *testing.T) {
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(20 * time.Second) // virtual
		return mark(ctx)
	}}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		r.Drain()
		if v := <-r.queue.verdicts; v != message.VerdictAck {
			t.Errorf("verdict %v", v)
		}
		r.wantOutcome(t, message.OutcomeSent, "")
		synctest.Wait()
		select {
		case r.queue.copies <- aCopy():
			t.Error("a copy was taken after the drain")
		case <-time.After(time.Minute):
		}
	})
}

func TestStopReleasesWhatItMustBreakOff(t *testing.T) {
	sender := &senderFuncs{send: func(ctx context.Context, _ func(context.Context) error) error {
		<-ctx.Done()
		return &message.SendError{Fault: message.FaultTemporary, Err: ctx.Err()}
	}}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if o := r.wantOutcome(t, message.OutcomeReleased, ""); o.After != 0 {
			t.Errorf("another worker may have it only after %v", o.After)
		}
		if v := <-r.queue.verdicts; v != message.VerdictRequeue {
			t.Errorf("verdict %v", v)
		}
	})
}

// The mark was asked for, so it may stand; but nobody was let past it.
func TestStopReleasesWhatWaitsForItsMark(t *testing.T) {
	store := &storeFuncs{mark: func(message.Held) (bool, error) { return false, message.ErrUnavailable }}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if o := r.wantOutcome(t, message.OutcomeReleased, ""); o.After != 0 || !o.NoDot {
			t.Errorf("recorded %+v", o)
		}
		if v := <-r.queue.verdicts; v != message.VerdictRequeue {
			t.Errorf("verdict %v", v)
		}
	})
}

func TestALostClaimIsBrokenOffOnlyBeforeItsMark(t *testing.T) {
	for _, marked := range []bool{false, true} {
		t.Run(fmt.Sprintf("marked=%v", marked), func(t *testing.T) {
			store := &storeFuncs{renew: func(message.Held) (bool, error) { return false, nil }}
			sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
				if marked {
					if err := mark(ctx); err != nil {
						return err
					}
				}
				select {
				case <-ctx.Done():
					return &message.SendError{Fault: message.FaultTemporary, Err: ctx.Err()}
				case <-time.After(time.Minute):
					return nil
				}
			}}
			run(t, store, sender, func(t *testing.T, r rig) {
				r.give(t, message.VerdictAck)
				if got := len(r.store.recorded()); (got == 1) != marked {
					t.Errorf("%d outcomes recorded", got)
				}
			})
		})
	}
}

// TestARenewalThatFailedIsRepeatedSoon: the sweep judges leases again ten seconds
// after the database was away, and may wait for no holder.
func TestARenewalThatFailedIsRepeatedSoon(t *testing.T) {
	began, back := time.Time{}, 16*time.Second
	var renewed []time.Duration
	store := &storeFuncs{renew: func(message.Held) (bool, error) {
		at := time.Since(began)
		if at < back {
			return false, message.ErrUnavailable
		}
		renewed = append(renewed, at)
		return true, nil
	}}
	sender := &senderFuncs{send: func(context.Context, func(context.Context) error) error {
		<-time.After(time.Minute) // virtual
		return nil
	}}
	run(t, store, sender, func(t *testing.T, r rig) {
		began = time.Now()
		r.give(t, message.VerdictAck)
		if len(renewed) == 0 || renewed[0] > back+3*time.Second {
			t.Errorf("the database was back after %v, renewed after %v", back, renewed)
		}
		if len(renewed) > 12 {
			t.Errorf("%d renewals in a minute: too many", len(renewed))
		}
	})
}

func TestAPanicFailsTheMailAndNotTheProcess(t *testing.T) {
	for _, marked := range []bool{false, true} {
		sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
			if marked {
				_ = mark(ctx)
			}
			panic("a bad mail")
		}}
		run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
			if marked {
				r.give(t, message.VerdictAck)
				r.wantOutcome(t, message.OutcomeUnknown, "")
				return
			}
			r.give(t, message.VerdictReject)
			r.wantOutcome(t, message.OutcomeFailed, message.ReasonPoison)
		})
	}
}

func TestWhatCannotBeWorkIsBuried(t *testing.T) {
	store := &storeFuncs{claim: func(message.Bid) (message.Claim, error) {
		return message.Claim{State: message.ClaimMissing}, nil
	}}
	run(t, store, &senderFuncs{}, func(t *testing.T, r rig) {
		r.give(t, message.VerdictReject)
		r.queue.copies <- message.Copy{Queue: "q", Unreadable: "not JSON", Body: []byte("{")}
		if v := <-r.queue.verdicts; v != message.VerdictReject {
			t.Errorf("verdict %v", v)
		}
		if len(r.store.buried) != 2 || r.store.buried[1].Reason != "not JSON" {
			t.Errorf("buried %+v", r.store.buried)
		}
	})
}

func TestNothingClaimedIsAcked(t *testing.T) {
	for state, want := range map[message.ClaimState]message.Verdict{
		message.ClaimNothing: message.VerdictAck, message.ClaimExpired: message.VerdictReject,
	} {
		store := &storeFuncs{claim: func(message.Bid) (message.Claim, error) { return message.Claim{State: state}, nil }}
		run(t, store, &senderFuncs{}, func(t *testing.T, r rig) { r.give(t, want) })
	}
}

func TestStopIsIdempotentAndSafeBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Config{Lease: time.Second, Store: &storeFuncs{}, Queue: newHandOver(), Sender: &senderFuncs{}})
		for range 3 {
			if err := w.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

// aParcel is a copy of several deliveries.
func aParcel(n int) message.Copy {
	c := aCopy()
	for range n - 1 {
		c.Refs = append(c.Refs, aCopy().Refs...)
	}
	return c
}

func TestAParcelIsSentOneByOneAndAnsweredOnce(t *testing.T) {
	var marked int
	store := &storeFuncs{}
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		if n := len(store.recorded()); n != marked {
			t.Errorf("%d outcomes are recorded before mark %d", n, marked+1)
		}
		if marked++; marked == 2 {
			return &message.SendError{Fault: message.FaultPermanent, Reason: message.ReasonRejected, Code: 550}
		}
		return mark(ctx)
	}}
	run(t, store, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aParcel(5)
		if v := <-r.queue.verdicts; v != message.VerdictAck {
			t.Errorf("verdict %v: one failure must not dead-letter the others", v)
		}
		if n := len(store.recorded()); n != 5 {
			t.Errorf("%d outcomes, want 5", n)
		}
	})
}

func TestAParcelThatTakesLongGoesOnElsewhere(t *testing.T) {
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(2 * time.Second) // virtual
		return mark(ctx)
	}}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aParcel(16)
		if v := <-r.queue.verdicts; v != message.VerdictRequeue {
			t.Errorf("verdict %v", v)
		}
		if n := len(r.store.recorded()); n != 3 {
			t.Errorf("%d were sent before, want 3", n)
		}
	})
}

func TestADrainedWorkerGivesTheRestOfItsParcelBack(t *testing.T) {
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(time.Second) // virtual
		return mark(ctx)
	}}
	run(t, &storeFuncs{}, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aParcel(16)
		r.Drain()
		if v := <-r.queue.verdicts; v != message.VerdictRequeue {
			t.Errorf("verdict %v", v)
		}
		r.wantOutcome(t, message.OutcomeSent, "")
	})
}
