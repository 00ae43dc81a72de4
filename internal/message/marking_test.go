package message

import (
	"testing"
	"time"
)

func TestAClaimIsTheMarkOnlyWhereTheMailIsResent(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	for _, c := range []struct {
		marking   Marking
		onUnknown OnUnknown
		want      Phase
	}{
		{MarkAlways, Resend, PhaseClaimed},
		{MarkAlways, Hold, PhaseClaimed},
		{MarkHold, Resend, PhaseData},
		{MarkHold, Hold, PhaseClaimed},
		{"", Resend, PhaseClaimed},
		{MarkHold, "", PhaseClaimed},
	} {
		by := aClaimant()
		by.Marking = c.marking
		d := Delivery{Status: StatusQueued, Dispatch: 1, OnUnknown: c.onUnknown}
		if d, _ = d.ClaimFor(Bid{Ref: Ref{Dispatch: 1}}, by, now); d.Phase != c.want {
			t.Errorf("marking %q, on_unknown %q: phase %d, want %d", c.marking, c.onUnknown, d.Phase, c.want)
		}
	}
}

// TestOnlyTheHolderGivesBackAClaimThatWasItsMark goes through what may have
// happened to the row by the time the holder says that it wrote no dot.
func TestOnlyTheHolderGivesBackAClaimThatWasItsMark(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	late := now.Add(testLease + time.Second)
	by := aClaimant()
	by.Marking = MarkHold
	swept := func(d Delivery) Delivery { d, _ = d.SweepLease(late, 0); return d }
	for name, c := range map[string]struct {
		meanwhile func(Delivery) Delivery
		unsaid    bool
		want      bool
	}{
		"nothing":            {want: true},
		"renewed":            {meanwhile: func(d Delivery) Delivery { d, _ = d.Renew(Held{Claim: 1}, late, testLease); return d }, want: true},
		"it does not say so": {unsaid: true},
		"swept":              {meanwhile: swept},
		"swept to rest":      {meanwhile: func(d Delivery) Delivery { d.UnknownOutcomes = MaxUnknownOutcomes - 1; return swept(d) }},
		"another's claim":    {meanwhile: func(d Delivery) Delivery { d, _ = swept(d).ClaimFor(Bid{Ref: Ref{Dispatch: 2}}, by, late); return d }},
		"another's late 250": {meanwhile: func(d Delivery) Delivery { d, _ = d.Record(Outcome{Kind: OutcomeSent}, now); return d }},
		"given back before":  {meanwhile: func(d Delivery) Delivery { d, _ = d.Record(release(true), now); return d }},
		"then claimed again": {meanwhile: func(d Delivery) Delivery {
			d, _ = d.Record(release(true), now)
			d, _ = d.ClaimFor(Bid{Ref: Ref{Dispatch: 2}}, by, now)
			return d
		}},
	} {
		d, _ := Delivery{Status: StatusQueued, Dispatch: 1, OnUnknown: Resend}.ClaimFor(Bid{Ref: Ref{Dispatch: 1}}, by, now)
		if c.meanwhile != nil {
			d = c.meanwhile(d)
		}
		next, ok := d.Record(release(!c.unsaid), late)
		if ok != c.want || !ok && next != d {
			t.Errorf("%s: given back %v, want %v: %+v", name, ok, c.want, next)
		}
		if ok && (next.Status != StatusQueued || next.Attempts+next.Interrupted+next.UnknownOutcomes > 0) {
			t.Errorf("%s: it was charged: %+v", name, next)
		}
	}
}

// release is that of the first claim.
func release(noDot bool) Outcome {
	return Outcome{Held: Held{Claim: 1}, Kind: OutcomeReleased, NoDot: noDot}
}
