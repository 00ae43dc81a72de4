package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// The intake is on Postgres alone: nobody else can have a transaction on an SQLite
// file, so that nobody can leave anything there.

const (
	// intakeBytes bounds what one transaction takes in, and what is made of that, but for
	// a single email that is larger: what is being read occupies several times as much,
	// and templates may make far more of it.
	intakeBytes = 4 << 20
	// readFor is after how long no further email is read in one transaction, and
	// readLimit ends the reading of one. Rendering may take its time, and the database
	// ends a transaction in which nothing happens: see idleTimeout. readAtOnce is for
	// what need not wait, of which as many as there are fit into half of readFor.
	readFor    = 2 * time.Second
	readLimit  = 5 * time.Second
	readAtOnce = 5 * time.Millisecond
)

// TakeIn takes up to limit emails from the intake, oldest first of those after the one
// named, and commits what read makes of each as a message of the id it has there: to be
// delivered, or failed with message.ReasonInvalid. It passes over those that another
// process holds. Read may be asked again about the same one, and must only read. One of
// which it cannot tell now stays, and holds up no other; the error is
// message.ErrUnavailable then, beside what was taken.
//
// An email that the database does not take, for a reason of its own, is refused as
// well; if that fails too, it stays where it is, and holds up no other. Where a table, a
// column or a right is missing, nothing is taken, and that is the error.
func (s *Store) TakeIn(ctx context.Context, after uuid.UUID, limit int, read reading) (message.IntakeLook, error) {
	var found []uuid.UUID
	var look message.IntakeLook
	var unread error
	err := s.tx(ctx, "take in", func(ctx context.Context, t *txn) (err error) {
		look, unread = message.IntakeLook{}, nil
		if found, err = t.chooseEnqueued(ctx, after, limit); err != nil || len(found) == 0 {
			return err
		}
		look, unread, err = t.takeIn(ctx, found, read)
		return err
	})
	switch {
	case err == nil:
		return look, unread
	case len(found) == 0, s.refused(err), isUnavailable(err) && !s.blocked(err):
		return message.IntakeLook{}, err
	}
	return s.takeInEach(ctx, found, read)
}

// takeInEach gives each email a transaction of its own, since one of them is at
// fault, or has a key that another transaction keeps: that one stays.
func (s *Store) takeInEach(ctx context.Context, ids []uuid.UUID, read reading) (all message.IntakeLook, err error) {
	var stuck []error
	for _, id := range ids {
		all.Last = id
		taken, err := s.takeInOne(ctx, id, read)
		if err != nil && !isUnavailable(err) && !s.refused(err) {
			s.log.Error("an enqueued email cannot be stored: it is refused", "message", id, "error", err)
			taken, err = s.takeInOne(ctx, id, unstorable(read))
		}
		if s.refused(err) || isUnavailable(err) && !s.blocked(err) {
			return all, err
		}
		if err != nil {
			stuck = append(stuck, fmt.Errorf("message %s: %w", id, err))
		}
		all.Taken = append(all.Taken, taken...)
	}
	return all, errors.Join(stuck...)
}

func (s *Store) takeInOne(ctx context.Context, id uuid.UUID, read reading) ([]message.TakenIn, error) {
	var look message.IntakeLook
	var unread error
	err := s.tx(ctx, "take in", func(ctx context.Context, t *txn) (err error) {
		if err := t.run(ctx, guard(t.haste)...); err != nil {
			return err
		}
		look, unread, err = t.takeIn(ctx, []uuid.UUID{id}, read)
		return err
	})
	if err == nil {
		err = unread
	}
	return look.Taken, err
}

// reading is intake.Read.
type reading = func(context.Context, message.Enqueued) (message.Reading, error)

// unstorable refuses what was valid. Nothing of it is kept: nobody knows what of it
// the database does not take.
func unstorable(read reading) reading {
	return func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		r, err := read(ctx, e)
		if err != nil {
			return r, err
		}
		lane := message.LaneNormal
		if r.Message.Lane.Valid() {
			lane = r.Message.Lane
		}
		return message.Reading{
			Message: &message.Message{Kind: message.ChannelEmail, Lane: lane, Head: message.Head{To: []message.Address{{}}}},
			Refused: &message.Error{Code: message.CodeValidation, Detail: "the database does not take this email: the log of the producer has its words"},
		}, nil
	}
}

// chooseEnqueued locks emails after the one named and returns as many as go into one
// transaction. The others are another's again with its end.
func (t *txn) chooseEnqueued(ctx context.Context, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	var bytes int64
	full := false
	err := t.rows(ctx, `SELECT id, size FROM intake WHERE id>$1 ORDER BY id LIMIT $2`+t.skipLocked, []any{after, limit}, func(rows row) error {
		var id uuid.UUID
		var size int64
		if err := rows.Scan(&id, &size); err != nil {
			return err
		}
		bytes += size
		if full = full || len(ids) > 0 && bytes > intakeBytes; !full {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// entry is an email of the intake with what was made of it.
type entry struct {
	message.Enqueued
	message.Reading
	key    string
	answer message.Acceptance // with a key: what stands under it
}

// takeIn moves emails into messages and commits. Unread is why some could not be
// read.
func (t *txn) takeIn(ctx context.Context, ids []uuid.UUID, read reading) (look message.IntakeLook, unread, err error) {
	entries, err := t.enqueued(ctx, ids)
	if err != nil {
		return look, nil, err
	}
	if entries, look.Last, unread = readAll(ctx, entries, read); len(entries) == 0 {
		return look, unread, nil
	}
	var jobs []accepting
	for i := range entries {
		if e := &entries[i]; e.Refused == nil {
			jobs = append(jobs, accepting{
				Submission: message.Submission{Message: e.Message, IdempotencyKey: e.key, Hash: e.Hash}, answer: &e.answer, since: e.At,
			})
		}
	}
	fresh, err := t.storable(ctx, jobs)
	if err != nil {
		return look, nil, err
	}
	look.Taken, err = t.endIntake(ctx, entries, fresh)
	return look, unread, err
}

// readAll returns the emails that could be read in the time and room there is, and the
// last that it was tried with. One that waits in vain, for its turn to be rendered, say,
// does not use up that of the others: they are still read if that waits for nothing, which
// is so for all that name no template.
func readAll(ctx context.Context, entries []entry, read reading) (done []entry, last uuid.UUID, unread error) {
	until, limit, made := time.Now().Add(readFor), readLimit, 0
	for _, e := range entries {
		if time.Now().After(until) || made > intakeBytes {
			break
		}
		last = e.ID
		late, err := e.read(ctx, limit, read)
		if err == nil {
			done, made = append(done, e), made+e.Message.Bytes()
			continue
		}
		unread = fmt.Errorf("message %s cannot be read now: %w: %w", e.ID, message.ErrUnavailable, err)
		if late && limit == readLimit {
			until, limit = time.Now().Add(readFor/2), readAtOnce
		}
	}
	return done, last, unread
}

// read asks what the email is; late is whether that took longer than it may.
func (e *entry) read(ctx context.Context, limit time.Duration, read reading) (late bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if e.Reading, err = read(ctx, e.Enqueued); err != nil {
		return ctx.Err() != nil, err
	}
	e.Message.ID, e.Message.TenantID = e.ID, e.TenantID
	return false, nil
}

// storable takes the keys of the submissions and returns those that are to be
// stored.
func (t *txn) storable(ctx context.Context, jobs []accepting) ([]accepting, error) {
	if err := ready(jobs); err != nil {
		return nil, err
	}
	fresh, err := t.reserveKeys(ctx, jobs)
	if err != nil {
		return nil, err
	}
	return fresh, t.insertAttachments(ctx, fresh)
}

// endIntake writes the messages, those that are to be sent and those that are
// refused, in the place of the intake's rows.
func (t *txn) endIntake(ctx context.Context, entries []entry, fresh []accepting) ([]message.TakenIn, error) {
	rows := list{columns: []column{{"vid", kindUUID}}}
	taken := make([]message.TakenIn, len(entries))
	var refused []*entry
	for i := range entries {
		e := &entries[i]
		e.refuseSecond()
		if e.Refused != nil {
			refused = append(refused, e)
		}
		rows.rows = append(rows.rows, []any{e.ID})
		taken[i] = message.TakenIn{
			ID: e.ID, TenantID: e.TenantID, Lane: e.Message.Lane, Recipients: len(e.Message.Recipients()), Refused: e.Refused,
		}
	}
	messages, err := t.messages(fresh)
	if err != nil {
		return nil, err
	}
	failed, err := t.refusals(refused)
	if err != nil {
		return nil, err
	}
	err = t.last(ctx, slices.Concat(
		t.with(rows, `DELETE FROM intake WHERE id IN (SELECT vid FROM v)`, nil), messages, t.deliveries(fresh), failed)...)
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// refuseSecond refuses an email whose key the API has given to a message since the
// function looked. Its caller has an id already, which must not lead to nothing; nor
// may the mail go out twice.
func (e *entry) refuseSecond() {
	if e.Refused != nil || e.answer.ID == e.ID && e.answer.Err == nil {
		return
	}
	e.Refused = &message.Error{Code: message.CodeIdempotencyConflict, Detail: "this idempotency key was used for another email meanwhile"}
	if e.answer.Err == nil {
		e.Refused.Detail = "this email was posted with the same idempotency key meanwhile, and is the message " + e.answer.ID.String()
	}
	e.Message = &message.Message{
		ID: e.ID, TenantID: e.TenantID, Kind: e.Message.Kind, Lane: e.Message.Lane, Head: e.Message.Head,
	}
}

func (t *txn) enqueued(ctx context.Context, ids []uuid.UUID) ([]entry, error) {
	l := list{columns: []column{{"vid", kindUUID}}}
	for _, id := range ids {
		l.rows = append(l.rows, []any{id})
	}
	var entries []entry
	err := t.each(ctx, l, `SELECT id, tenant_id, COALESCE(key, ''), email, enqueued_at FROM v CROSS JOIN intake
		WHERE id=vid ORDER BY id`+t.skipLockedOf("intake"), func(rows row) error {
		var e entry
		var at int64
		err := rows.Scan(&e.ID, &e.TenantID, &e.key, &e.Email, &at)
		e.At = fromMillis(at)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

var refusedValues = []column{
	{"vid", kindUUID}, {"vn", kindInt}, {"vtenant", kindInt}, {"vchannel", kindText}, {"vrole", kindText},
	{"vaddress", kindText}, {"vlane", kindText},
}

// refusals are the commands that store refused emails: each recipient has failed,
// and its history says why.
func (t *txn) refusals(entries []*entry) ([]command, error) {
	l := list{columns: refusedValues}
	var jobs []accepting
	var attempts [][]any
	for _, e := range entries {
		jobs = append(jobs, accepting{Submission: message.Submission{Message: e.Message}})
		for n, r := range e.Message.Recipients() {
			l.rows = append(l.rows, []any{e.ID, n, e.TenantID, e.Message.Kind, r.Role, r.Address, e.Message.Lane})
			attempts = append(attempts, attemptRow(e.ID, &message.Attempt{
				N: int16(n), WorkerID: t.cfg.Worker.ID, Outcome: message.OutcomeFailed, Detail: e.Refused.Error(),
			}))
		}
	}
	messages, err := t.messages(jobs)
	return slices.Concat(messages, t.with(l, `
		INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, reason, dispatch, finished_at)
		SELECT vid, vn, vtenant, vchannel, vrole, vaddress, vlane, 'resend', 'failed', 'invalid', 1, `+t.clock()+`
		FROM v WHERE vid IS NOT NULL`, nil), t.writeAttempts(attempts, `DO NOTHING`)), err
}

// Waiting tells how many emails wait in the intake, counted up to 100,000, and for
// how long the oldest has.
func (s *Store) Waiting(ctx context.Context) (message.Waiting, error) {
	var w message.Waiting
	var oldest sql.NullInt64
	err := s.read(ctx, "look at the intake", func(ctx context.Context, t *txn) error {
		return t.row(ctx, `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM intake LIMIT $1) AS counted),
			(SELECT `+t.clock()+`-enqueued_at FROM intake ORDER BY id LIMIT 1)`, []any{countMost}, &w.Rows, &oldest)
	})
	w.Oldest = time.Duration(max(oldest.Int64, 0)) * time.Millisecond
	return w, err
}

// ForgetEnqueueKeys deletes idempotency keys of the intake that have expired, a
// bounded number at a time and in all.
func (s *Store) ForgetEnqueueKeys(ctx context.Context) error {
	return s.forget(ctx, "intake_keys")
}

// AwaitEnqueued blocks until an email may have come into the intake, or ctx ends. It
// may return early, and it may miss one.
func (s *Store) AwaitEnqueued(ctx context.Context) error {
	return s.fail("wait for enqueued mail", s.bells.enqueued(ctx))
}
