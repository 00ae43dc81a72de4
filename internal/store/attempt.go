package store

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	detailLimit   = 1000 // bytes of a reply or an error
	hostLimit     = 255
	enhancedLimit = 32
	remoteIDLimit = 255
)

// clean makes text from outside storable: a 250 must not be lost because of
// what stands beside it.
func clean(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(text); r == utf8.RuneError && size == 1 {
			text = text[:len(text)-1]
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

var attemptValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vclaim", kindInt}, {"vstarted", kindInt}, {"vfinished", kindInt},
	{"vworker", kindUUID}, {"vhost", kindText}, {"voutcome", kindText}, {"vcode", kindInt},
	{"venhanced", kindText}, {"vdetail", kindText},
}

func attemptRow(id uuid.UUID, a *message.Attempt) []any {
	return []any{
		id, a.N, a.Claim, millis(a.StartedAt), millis(a.FinishedAt), nullUUID(a.WorkerID), clean(a.RelayHost, hostLimit),
		a.Outcome, a.Code, clean(a.Enhanced, enhancedLimit), clean(a.Detail, detailLimit),
	}
}

// history adds the tries to the history; released ones leave none.
func (t *txn) history(outcomes []message.Outcome) []command {
	var sent, others [][]any
	for i := range outcomes {
		o := &outcomes[i]
		a := o.Attempt
		a.N, a.Claim, a.Outcome = o.N, o.Held.Claim, o.Kind
		switch o.Kind {
		case message.OutcomeReleased:
		case message.OutcomeSent:
			sent = append(sent, attemptRow(o.MessageID, &a))
		default:
			others = append(others, attemptRow(o.MessageID, &a))
		}
	}
	// The sweep may have written the try down as interrupted or unknown.
	return slices.Concat(t.writeAttempts(others, `DO NOTHING`), t.writeAttempts(sent, `DO UPDATE SET started_at=excluded.started_at, finished_at=excluded.finished_at,
		worker_id=excluded.worker_id, relay_host=excluded.relay_host, outcome=excluded.outcome, code=excluded.code,
		enhanced=excluded.enhanced, detail=excluded.detail`))
}

func (t *txn) writeAttempts(rows [][]any, onConflict string) []command {
	now := t.clock()
	return t.with(list{columns: attemptValues, rows: rows}, `
		INSERT INTO attempts (message_id, n, claim, started_at, finished_at, worker_id, relay_host, outcome, code, enhanced, detail)
		SELECT vid, vn, vclaim, COALESCE(vstarted, `+now+`), COALESCE(vfinished, `+now+`), vworker, vhost, voutcome, vcode, venhanced, vdetail
		FROM v WHERE vid IS NOT NULL
		ON CONFLICT (message_id, n, claim) `+onConflict, nil)
}

// attemptsOf reads the tries of one message, oldest first.
func (t *txn) attemptsOf(ctx context.Context, id uuid.UUID) ([]message.Attempt, error) {
	var attempts []message.Attempt
	err := t.rows(ctx, `
		SELECT n, claim, started_at, finished_at, worker_id, relay_host, outcome, code, enhanced, detail
		FROM attempts WHERE message_id=$1 ORDER BY started_at, n, claim`, []any{id}, func(rows row) error {
		var a message.Attempt
		var started, finished int64
		var worker uuid.NullUUID
		err := rows.Scan(&a.N, &a.Claim, &started, &finished, &worker, &a.RelayHost, &a.Outcome, &a.Code, &a.Enhanced, &a.Detail)
		a.StartedAt, a.FinishedAt, a.WorkerID = fromMillis(started), fromMillis(finished), worker.UUID
		attempts = append(attempts, a)
		return err
	})
	return attempts, err
}
