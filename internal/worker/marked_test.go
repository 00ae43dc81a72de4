package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// markedStore answers claims that are their mark after the given time, and
// counts the marks that are asked for beside.
func markedStore(slow time.Duration, mark bool) (store *storeFuncs, asked *int) {
	asked = new(int)
	return &storeFuncs{
		claim: func(b message.Bid) (message.Claim, error) {
			<-time.After(slow) // virtual
			c := taken(b)
			c.Work.Marked = true
			return c, nil
		},
		mark: func(message.Held) (bool, error) { *asked++; return mark, nil },
	}, asked
}

// sendsAfter is a sender whose dot's turn comes after the given time.
func sendsAfter(wait time.Duration) *senderFuncs {
	return &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(wait) // virtual
		return mark(ctx)
	}}
}

func TestAClaimThatIsTheMarkNeedsNoOtherWhileItIsYoung(t *testing.T) {
	for _, c := range []struct {
		claim, send time.Duration
		want        int
	}{{0, 0, 0}, {0, 14 * time.Second, 0}, {0, 15 * time.Second, 1}, {10 * time.Second, 4 * time.Second, 0}, {10 * time.Second, 6 * time.Second, 1}} {
		store, asked := markedStore(c.claim, true)
		run(t, store, sendsAfter(c.send), func(t *testing.T, r rig) {
			r.give(t, message.VerdictAck)
			r.wantOutcome(t, message.OutcomeSent, "")
			if *asked != c.want {
				t.Errorf("the claim took %v and the way to the dot %v: %d marks asked for, want %d", c.claim, c.send, *asked, c.want)
			}
		})
	}
}

// A mark that is refused to who has marked already is that of a mail which has
// expired, or of a claim that is another's. Nothing tells them apart but the guard
// of the release.
func TestAnOldClaimWhoseMarkIsRefusedIsGivenBack(t *testing.T) {
	store, _ := markedStore(0, false)
	run(t, store, sendsAfter(16*time.Second), func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		if o := r.wantOutcome(t, message.OutcomeReleased, ""); !o.NoDot {
			t.Error("it does not say that no dot was written")
		}
	})
}

func TestALostClaimThatWasTheMarkSendsNothing(t *testing.T) {
	store, asked := markedStore(0, true)
	store.renew = func(message.Held) (bool, error) { return false, nil }
	var told error
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-time.After(6 * time.Second) // virtual; it looks at no context
		told = mark(ctx)
		return told
	}}
	run(t, store, sender, func(t *testing.T, r rig) {
		r.give(t, message.VerdictAck)
		if !errors.Is(told, message.ErrMarkRefused) || *asked != 0 || len(r.store.recorded()) != 0 {
			t.Errorf("told %v, %d marks asked for, recorded %+v", told, *asked, r.store.recorded())
		}
	})
}

func TestStopGivesBackAClaimThatWasTheMark(t *testing.T) {
	store, _ := markedStore(0, true)
	sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
		<-ctx.Done()
		return mark(ctx) // too late: it must not be let past
	}}
	run(t, store, sender, func(t *testing.T, r rig) {
		r.queue.copies <- aCopy()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if o := r.wantOutcome(t, message.OutcomeReleased, ""); !o.NoDot {
			t.Error("it does not say that no dot was written")
		}
		if v := <-r.queue.verdicts; v != message.VerdictRequeue {
			t.Errorf("verdict %v", v)
		}
	})
}

// What a holder says of its dot is believed, so it must not say it past its mark.
func TestOnlyWhoWasNotLetPastTheMarkSaysThatItWroteNoDot(t *testing.T) {
	for _, past := range []bool{false, true} {
		store, _ := markedStore(0, true)
		sender := &senderFuncs{send: func(ctx context.Context, mark func(context.Context) error) error {
			if past {
				if err := mark(ctx); err != nil {
					return err
				}
			}
			return &message.SendError{Fault: message.FaultRelayHost, Text: "connection refused"}
		}}
		run(t, store, sender, func(t *testing.T, r rig) {
			r.give(t, message.VerdictRequeue)
			if o := r.wantOutcome(t, message.OutcomeReleased, ""); o.NoDot == past {
				t.Errorf("past the mark: %v; it says that it wrote no dot: %v", past, o.NoDot)
			}
		})
	}
}
