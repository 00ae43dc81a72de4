package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Accept commits messages with their deliveries, outbox rows and idempotency
// keys, in one transaction for all. One that cannot be stored gets its own
// error; with message.ErrUnavailable nobody knows whether it was committed. A key that
// another transaction keeps for long fails, with that, those of its tenant that have one.
func (s *Store) Accept(ctx context.Context, submissions []message.Submission) []message.Acceptance {
	answers := make([]message.Acceptance, len(submissions))
	jobs := make([]accepting, len(submissions))
	for i := range submissions {
		jobs[i] = accepting{Submission: submissions[i], answer: &answers[i]}
	}
	if err := s.acceptAll(ctx, jobs); len(jobs) > 1 && s.blocked(err) {
		for _, part := range apart(jobs) {
			_ = s.acceptAll(ctx, part) // each answer has it
		}
	}
	return answers
}

// acceptAll commits messages in one transaction for all and leaves their answers.
func (s *Store) acceptAll(ctx context.Context, jobs []accepting) error {
	err := s.tx(ctx, "accept", func(ctx context.Context, t *txn) error { return accept(ctx, t, jobs) })
	for i := range jobs {
		one := err
		if err != nil && !isUnavailable(err) { // one of them is at fault, or a repetition that is never to be stored
			one = s.tx(ctx, "accept", func(ctx context.Context, t *txn) error { return t.acceptAsking(ctx, jobs[i:i+1]) })
		}
		if one != nil {
			*jobs[i].answer = message.Acceptance{Err: one}
		}
	}
	return err
}

// apart divides messages of which one has waited in vain, as for a key that another
// transaction has just taken and keeps: those without a key wait for none, and the others
// fail for nobody but their tenant.
func apart(jobs []accepting) [][]accepting {
	parts, place := [][]accepting{nil}, map[int64]int{}
	for _, job := range jobs {
		at := 0
		if tenant := job.Message.TenantID; job.IdempotencyKey != "" {
			if at = place[tenant]; at == 0 {
				at = len(parts)
				place[tenant], parts = at, append(parts, nil)
			}
		}
		parts[at] = append(parts[at], job)
	}
	return slices.DeleteFunc(parts, func(part []accepting) bool { return len(part) == 0 })
}

// accepting is a submission and the place of its answer.
type accepting struct {
	message.Submission
	answer *message.Acceptance
	batch  *keptBatch // what its key keeps where it stands for a batch; else nil
	since  time.Time  // when its key was first kept, by the intake; zero: it was not yet
}

func accept(ctx context.Context, t *txn, jobs []accepting) error {
	if slices.ContainsFunc(jobs, func(job accepting) bool { return len(job.Message.Attachments) > 0 }) {
		return t.acceptAsking(ctx, jobs)
	}
	return t.acceptAtOnce(ctx, jobs)
}

// ready checks the messages and gives each the answer of one that is stored.
func ready(jobs []accepting) error {
	for _, job := range jobs {
		if err := check(job.Message); err != nil {
			return err
		}
		*job.answer = message.Acceptance{ID: job.Message.ID, ScheduledAt: job.Message.ScheduledAt}
	}
	return nil
}

// acceptAsking takes the keys first, and then sends only what is to be stored.
// Attachments are too large to be sent in vain.
func (t *txn) acceptAsking(ctx context.Context, jobs []accepting) error {
	if err := ready(jobs); err != nil {
		return err
	}
	fresh, err := t.reserveKeys(ctx, jobs)
	if err != nil {
		return err
	}
	if err := t.insertAttachments(ctx, fresh); err != nil {
		return err
	}
	messages, err := t.messages(fresh)
	if err != nil {
		return err
	}
	return t.last(ctx, append(messages, t.deliveries(fresh)...)...)
}

// acceptAtOnce tries to store all, and has the database leave out the messages whose
// key was another's: so no statement needs to know what the one before came to.
func (t *txn) acceptAtOnce(ctx context.Context, jobs []accepting) error {
	if err := ready(jobs); err != nil {
		return err
	}
	leaders := leadersOf(jobs)
	standing := make(map[idempotent]first, len(leaders))
	keys, err := t.toTake(leaders, nil)
	if err != nil {
		return err
	}
	messages, err := t.messages(jobs)
	if err != nil {
		return err
	}
	err = t.last(ctx, slices.Concat(keys, messages, t.deliveries(jobs), t.toLookUp(leaders, standing))...)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if job.IdempotencyKey != "" {
			job.answerFrom(standing)
		}
	}
	return nil
}

// answerFrom completes the answer to a submission with a key by what stands under
// it now.
func (j accepting) answerFrom(standing map[idempotent]first) {
	f, found := standing[j.idempotent()]
	switch {
	case !found: // its row was locked, and cannot have gone
		*j.answer = message.Acceptance{Err: fmt.Errorf("%w: %w", message.ErrUnavailable, errKeyVanished)}
	case f.answer.ID != j.Message.ID:
		f.answerTo(j)
	}
}

// check refuses what the validator cannot have let through: it would be
// accepted and never be delivered.
func check(m *message.Message) error {
	switch {
	case m.ID == uuid.Nil:
		return errors.New("message without an id")
	case m.TenantID == 0:
		return errors.New("message without a tenant")
	case len(m.Recipients()) == 0:
		return errors.New("message without recipients")
	}
	return nil
}

var messageValues = []column{
	{"vid", kindUUID}, {"vtenant", kindInt}, {"vkind", kindText}, {"vlane", kindText}, {"vhead", kindText},
	{"vcontent", kindText}, {"vunknown", kindText}, {"vscheduled", kindInt}, {"vexpires", kindInt}, {"vtrace", kindText}, {"vkey", kindText},
}

// keyIsMine leaves out a message whose key stands for another: it is a repetition,
// or was refused.
const keyIsMine = `(vkey IS NULL OR EXISTS (
	SELECT 1 FROM idempotency WHERE tenant_id=vtenant AND key=vkey AND message_id=vid))`

// messages are the commands that store what was posted.
func (t *txn) messages(jobs []accepting) ([]command, error) {
	l := list{columns: messageValues}
	for _, job := range jobs {
		m := job.Message
		head, err := json.Marshal(m.Head)
		if err != nil {
			return nil, fmt.Errorf("encode head: %w", err)
		}
		content, err := json.Marshal(m.Content)
		if err != nil {
			return nil, fmt.Errorf("encode content: %w", err)
		}
		l.rows = append(l.rows, []any{
			m.ID, m.TenantID, m.Kind, m.Lane, string(head), string(content),
			cmp.Or(m.OnUnknown, message.Resend), millis(m.ScheduledAt), millis(m.ExpiresAt), m.Trace, nullText(job.IdempotencyKey),
		})
	}
	return t.with(l, `
		INSERT INTO messages (id, tenant_id, kind, lane, head, content, on_unknown, scheduled_at, expires_at, trace, created_at)
		SELECT vid, vtenant, vkind, vlane, vhead, vcontent, vunknown, vscheduled, vexpires, vtrace, `+t.clock()+`
		FROM v WHERE vid IS NOT NULL AND `+keyIsMine, nil), nil
}

var deliveryValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vtenant", kindInt}, {"vchannel", kindText}, {"vrole", kindText},
	{"vaddress", kindText}, {"vlane", kindText}, {"vunknown", kindText}, {"vexpires", kindInt}, {"vscheduled", kindInt},
}

// deliveries are the commands that make the recipients' deliveries and their rows
// of the outbox. The latter are read from the former, for the time that stands there.
func (t *txn) deliveries(jobs []accepting) []command {
	l, keys := list{columns: deliveryValues}, list{columns: keyColumns}
	for _, job := range jobs {
		m := job.Message
		for n, r := range m.Recipients() {
			l.rows = append(l.rows, []any{
				m.ID, n, m.TenantID, m.Kind, r.Role, r.Address, m.Lane,
				cmp.Or(m.OnUnknown, message.Resend), millis(m.ExpiresAt), millis(m.ScheduledAt),
			})
			keys.rows = append(keys.rows, []any{m.ID, n})
		}
	}
	return slices.Concat(t.with(l, `
		INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, expires_at,
			status, dispatch, next_attempt_at)
		SELECT vid, vn, vtenant, vchannel, vrole, vaddress, vlane, vunknown, vexpires,
			'queued', 1, COALESCE(vscheduled, `+t.clock()+`)
		FROM v WHERE EXISTS (SELECT 1 FROM messages WHERE id=vid)`, nil), t.with(keys, `
		INSERT INTO outbox (`+outboxInto+`)
		SELECT `+outboxColumns+` FROM v CROSS JOIN deliveries WHERE message_id=vid AND n=vn`, nil))
}
