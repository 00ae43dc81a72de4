package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	// refusedClaimPause keeps a claim that the database answers with an error
	// from going round: the nack brings the copy back at once, twenty of them
	// dead-letter it, and a queue in memory counts none.
	refusedClaimPause = 5 * time.Second
	// recordTries is how often a database that answers may refuse an outcome,
	// over some five minutes, until the worker goes on without it.
	recordTries = 35
)

// deliver claims one delivery and sees it through to a recorded outcome.
func (w *Worker) deliver(c message.Copy, ref message.Ref) message.Verdict {
	if w.gate.reason() != nil {
		return message.VerdictRequeue
	}
	claim, asked, err := w.claim(message.Bid{Ref: ref, Redelivered: c.Redelivered})
	if err != nil {
		// Not as "message": every copy meets this every few seconds, and lines about one mail
		// are never left out.
		w.log.Warn("not claimed: copies go back", "one", fmt.Sprintf("%s/%d", ref.MessageID, ref.N), "error", err,
			"remedy", "the error says what the database refuses; the copies come again, and nothing needs a restart")
		_ = w.cfg.Random.Jittered(w.draining, refusedClaimPause) // its only error is the end of work, which comes next anyway
		return message.VerdictRequeue
	}
	switch claim.State {
	case message.ClaimTaken:
		return w.work(claim.Work, asked)
	case message.ClaimExpired:
		w.log.Info("expired", "message", ref.MessageID, "recipient", ref.N)
		return message.VerdictReject
	case message.ClaimMissing:
		return w.bury(c, fmt.Sprintf("no delivery %d of message %s", ref.N, ref.MessageID))
	default:
		return message.VerdictAck
	}
}

// claim keeps the copy while the database is away: a nack would count toward
// the broker's delivery limit, and the prefetch of 1 stops the flow anyway. The
// time is that of the question that was answered: the lease began no earlier.
func (w *Worker) claim(bid message.Bid) (claim message.Claim, asked time.Time, err error) {
	err = w.persist(w.draining, "claim", func(ctx context.Context) error {
		asked = time.Now()
		claims, err := w.cfg.Store.Claim(context.WithoutCancel(ctx), []message.Bid{bid})
		if err == nil {
			claim = claims[0]
		}
		return err
	})
	return claim, asked, err
}

// work sends what was claimed and records what came of it.
func (w *Worker) work(work *message.Work, asked time.Time) message.Verdict {
	h := w.held.add(w.working, work.Held)
	defer w.held.remove(h)
	if work.Marked {
		h.markedAt = asked
	}
	started := time.Now()
	receipt, err := w.send(h, work)
	try := w.judge(work, h, receipt, err)
	if !try.record {
		w.log.Info("broke off", "message", work.MessageID, "recipient", work.N, "error", err)
		return try.verdict
	}
	elapsed := time.Since(started)
	try.outcome.Held = work.Held
	// A scheduled mail that was canceled and then retried goes before its time.
	try.outcome.Age = max(0, work.ClaimedAt.Add(elapsed).Sub(work.DueAt))
	try.outcome.Attempt.N, try.outcome.Attempt.Claim = work.N, work.Held.Claim
	try.outcome.Attempt.StartedAt = work.ClaimedAt
	try.outcome.Attempt.FinishedAt = work.ClaimedAt.Add(elapsed)
	try.outcome.Attempt.WorkerID = w.cfg.ID
	try.outcome.Attempt.Outcome = try.outcome.Kind
	w.record(try.outcome)
	return try.verdict
}

// send turns a panic of a sender into an error, so that one mail cannot take
// the process with it.
func (w *Worker) send(h *holding, work *message.Work) (receipt message.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p}
		}
	}()
	return w.cfg.Sender.Send(h.ctx, work, func(ctx context.Context) error {
		err := w.mark(ctx, h)
		h.past = err == nil
		return err
	})
}

// mark asks for the point of no return. A lost reply is asked again; one that
// took three quarters of the lease to come is renewed before the dot. So is a
// claim that was the mark; a younger one needs no more.
func (w *Worker) mark(ctx context.Context, h *holding) error {
	if time.Since(h.markedAt) < w.cfg.Lease*3/4 {
		return h.pass()
	}
	h.ask()
	for {
		asked := time.Now()
		var ok bool
		err := w.persist(ctx, "mark", func(ctx context.Context) error {
			marks, err := w.cfg.Store.Mark(ctx, []message.Held{h.Held})
			if err == nil {
				ok = marks[0]
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case !ok:
			return message.ErrMarkRefused
		case time.Since(asked) < w.cfg.Lease*3/4:
			return nil
		}
	}
}

// record writes the outcome however long the database is away: a known 250 is
// never dropped while the process lives. Any other error may be one of the
// moment too, and a second mail is worse than a wait; but one outcome that the
// database never takes must not keep its worker for ever.
func (w *Worker) record(o message.Outcome) {
	backoff := pause.Backoff{First: 50 * time.Millisecond, Most: 10 * time.Second, Random: w.cfg.Random}
	var err error
	for tries := 1; ; tries++ {
		err = w.persist(w.recording, "record "+string(o.Kind), func(ctx context.Context) error {
			return w.cfg.Store.Record(ctx, []message.Outcome{o})[0]
		})
		if err == nil || tries == recordTries || w.recording.Err() != nil {
			break
		}
		w.log.Error("outcome refused: holding on", "message", o.MessageID, "recipient", o.N, "outcome", o.Kind, "error", err)
		_ = backoff.Wait(w.recording) // its only error is the end of recording: one last try
	}
	log := w.log.With("message", o.MessageID, "recipient", o.N, "outcome", o.Kind)
	switch {
	case err != nil:
		log.Error("outcome not recorded: the lease will end and the sweep decide", "error", err)
	case o.Kind == message.OutcomeSent:
		log.Info("sent", "relay_host", o.Attempt.RelayHost, "age", o.Age)
	default:
		log.Warn("not sent", "reason", o.Reason, "code", o.Attempt.Code, "detail", o.Attempt.Detail, "next_in", o.After)
	}
}
