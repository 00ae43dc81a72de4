package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// panicError is a sender that panicked.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic while sending: %v", e.value) }

// try is a judged attempt: what to record, if anything, and what to answer.
type try struct {
	outcome message.Outcome
	verdict message.Verdict
	record  bool
}

// judge is the one place that turns what a sender says into an outcome.
func (w *Worker) judge(work *message.Work, h *holding, receipt message.Receipt, err error) try {
	var fault *message.SendError
	var crash *panicError
	switch {
	case err == nil:
		return record(message.Outcome{Kind: message.OutcomeSent, Attempt: receiptAttempt(receipt)}, message.VerdictAck)
	case h.lost() && !h.hasAsked():
		return try{verdict: message.VerdictAck}
	case errors.Is(err, message.ErrMarkRefused):
		return try{
			outcome: message.Outcome{Kind: message.OutcomeReleased, NoDot: true}, verdict: message.VerdictAck,
			record: work.Marked, // if it is still ours, it has expired: the next claim says so, and the sweep would call it possibly sent
		}
	case errors.As(err, &crash):
		return w.judgeCrash(work, h, crash)
	case h.stopped() && !h.past:
		return record(message.Outcome{Kind: message.OutcomeReleased, NoDot: work.Marked || h.hasAsked()}, message.VerdictRequeue)
	case errors.As(err, &fault):
		return w.judgeFault(work, h, fault)
	default:
		return w.judgeFault(work, h, &message.SendError{Fault: message.FaultTemporary, Text: err.Error(), Err: err})
	}
}

func (w *Worker) judgeFault(work *message.Work, h *holding, fault *message.SendError) try {
	o := message.Outcome{Attempt: faultAttempt(fault)}
	switch fault.Fault {
	case message.FaultPermanent:
		o.Kind, o.Reason = message.OutcomeFailed, fault.Reason
		return record(o, message.VerdictReject)
	case message.FaultUnknown:
		o.Kind = message.OutcomeUnknown
		w.plan(&o, work, fault.RetryAfter)
		return record(o, message.VerdictAck)
	case message.FaultRelayHost:
		o.Kind, o.After, o.NoDot = message.OutcomeReleased, w.gate.trip(fault), work.Marked && !h.hasAsked()
		return record(o, message.VerdictRequeue)
	}
	o.Kind = message.OutcomeRetry
	w.plan(&o, work, fault.RetryAfter)
	if o.Exhausted {
		return record(o, message.VerdictReject)
	}
	return record(o, message.VerdictRequeue)
}

// judgeCrash fails a mail that makes its sender panic: it would do so again.
// Past the mark nobody knows what went out.
func (w *Worker) judgeCrash(work *message.Work, h *holding, crash *panicError) try {
	o := message.Outcome{Attempt: message.Attempt{Detail: crash.Error()}}
	if h.hasAsked() {
		o.Kind = message.OutcomeUnknown
		w.plan(&o, work, 0)
		return record(o, message.VerdictAck)
	}
	o.Kind, o.Reason = message.OutcomeFailed, message.ReasonPoison
	return record(o, message.VerdictReject)
}

func (w *Worker) plan(o *message.Outcome, work *message.Work, hint time.Duration) {
	wait, ok := w.cfg.Schedule.Next(work.Attempts+1, hint, w.cfg.Random.Draw())
	o.After, o.Exhausted = wait, !ok
}

func record(o message.Outcome, v message.Verdict) try {
	return try{outcome: o, verdict: v, record: true}
}

func receiptAttempt(r message.Receipt) message.Attempt {
	return message.Attempt{
		RelayHost: r.RelayHost, Code: r.Code, Enhanced: r.Enhanced, Detail: r.Text, RemoteID: r.RemoteID,
	}
}

func faultAttempt(f *message.SendError) message.Attempt {
	return message.Attempt{RelayHost: f.RelayHost, Code: f.Code, Enhanced: f.Enhanced, Detail: f.Text}
}
