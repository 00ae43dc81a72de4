package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	keyLife      = 24 * time.Hour // how long an Idempotency-Key is remembered
	keysPerSweep = 25_000         // bounds the keys forgotten by one sweep
)

// idempotent names a key within its tenant.
type idempotent struct {
	tenant int64
	key    string
}

func (j accepting) idempotent() idempotent {
	return idempotent{tenant: j.Message.TenantID, key: j.IdempotencyKey}
}

// first is what the first request under a key was, and came to.
type first struct {
	hash   [32]byte
	answer message.Acceptance
	batch  *keptBatch // nil: a single message
}

// firstAnswer is what a repetition is told beside the message's id.
type firstAnswer struct {
	ScheduledAt int64      `json:"scheduled_at,omitempty"` // milliseconds
	Batch       *keptBatch `json:"batch,omitempty"`        // in place of it
}

// reserveKeys takes the keys that are new, answers the submissions whose key is
// not, and returns those that are to be stored. A key that another transaction
// is just taking is waited for.
func (t *txn) reserveKeys(ctx context.Context, jobs []accepting) ([]accepting, error) {
	leaders := leadersOf(jobs)
	taken, err := t.takeKeys(ctx, leaders)
	if err != nil {
		return nil, err
	}
	known, err := t.knownKeys(ctx, leaders, taken)
	if err != nil {
		return nil, err
	}
	var fresh []accepting
	for _, job := range jobs {
		id := job.idempotent()
		if job.IdempotencyKey == "" || taken[id] && job.answer == leaders[id].answer {
			fresh = append(fresh, job)
			continue
		}
		known[id].answerTo(job)
	}
	return fresh, nil
}

// leadersOf picks the first submission of each key: the rest of them are its
// repetitions.
func leadersOf(jobs []accepting) map[idempotent]accepting {
	leaders := map[idempotent]accepting{}
	for _, job := range jobs {
		id := job.idempotent()
		if _, ok := leaders[id]; !ok && job.IdempotencyKey != "" {
			leaders[id] = job
		}
	}
	return leaders
}

func (f first) answerTo(job accepting) {
	*job.answer = f.answer
	if f.hash != job.Hash {
		*job.answer = message.Acceptance{Err: conflict()}
	}
}

func conflict() *message.Error {
	return &message.Error{
		Code:   message.CodeIdempotencyConflict,
		Detail: "this Idempotency-Key was used for another request; use a new key for each new message",
	}
}

var keyValues = []column{
	{"vtenant", kindInt}, {"vkey", kindText}, {"vhash", kindBytes}, {"vid", kindUUID}, {"vresponse", kindText}, {"vsince", kindInt},
}

// takeKeys inserts the keys and returns those that were new.
func (t *txn) takeKeys(ctx context.Context, leaders map[idempotent]accepting) (map[idempotent]bool, error) {
	taken := map[idempotent]bool{}
	keys, err := t.toTake(leaders, func(rows row) error {
		var id idempotent
		err := rows.Scan(&id.tenant, &id.key)
		taken[id] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	return taken, t.run(ctx, keys...)
}

// toTake inserts the keys in sorted order, since two transactions that want the
// same ones wait for each other's, and replaces those that have expired. Scan gets
// those that were taken; nil: nobody asks. The messages of others wait behind those that
// are posted, which therefore wait for no key for long.
func (t *txn) toTake(leaders map[idempotent]accepting, scan func(row) error) ([]command, error) {
	l := list{columns: keyValues, fixed: []any{keyLife.Milliseconds()}}
	brisk := t.brisk
	for id, job := range leaders {
		if job.batch != nil || !job.since.IsZero() { // it is in nobody's way
			brisk = ""
		}
		response, err := json.Marshal(firstAnswer{ScheduledAt: unixMillis(job.Message.ScheduledAt), Batch: job.batch})
		if err != nil {
			return nil, fmt.Errorf("encode answer: %w", err)
		}
		l.rows = append(l.rows, []any{id.tenant, id.key, job.Hash[:], job.Message.ID, string(response), millis(job.since)})
	}
	slices.SortFunc(l.rows, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[0].(int64), b[0].(int64)), cmp.Compare(a[1].(string), b[1].(string)))
	})
	returning := ""
	if scan != nil {
		returning = ` RETURNING tenant_id, key`
	}
	now := t.clock()
	return t.with(l, `
		INSERT INTO idempotency (tenant_id, key, hash, message_id, response, expires_at)
		SELECT vtenant, vkey, vhash, vid, vresponse, COALESCE(vsince, `+now+`)+$1 FROM v WHERE vid IS NOT NULL`+brisk+`
		ON CONFLICT (tenant_id, key) DO UPDATE SET hash=excluded.hash, message_id=excluded.message_id,
			response=excluded.response, expires_at=excluded.expires_at
		WHERE idempotency.expires_at<=`+now+returning, scan), nil
}

// knownKeys reads what stands under the keys that were not taken, and adds what
// the taken ones will come to, for their repetitions in the same call.
func (t *txn) knownKeys(ctx context.Context, leaders map[idempotent]accepting, taken map[idempotent]bool) (map[idempotent]first, error) {
	known := map[idempotent]first{}
	others := map[idempotent]accepting{}
	for id, job := range leaders {
		if taken[id] {
			answer := *job.answer
			answer.Replayed = true
			known[id] = first{hash: job.Hash, answer: answer}
			continue
		}
		others[id] = job
	}
	err := t.run(ctx, t.toLookUp(others, known)...)
	if err == nil && len(known) < len(leaders) {
		err = errKeyVanished
	}
	return known, err
}

// toLookUp reads what stands under the keys.
func (t *txn) toLookUp(leaders map[idempotent]accepting, standing map[idempotent]first) []command {
	l := list{columns: []column{{"vtenant", kindInt}, {"vkey", kindText}}}
	for id := range leaders {
		l.rows = append(l.rows, []any{id.tenant, id.key})
	}
	return t.with(l, `
		SELECT tenant_id, key, hash, message_id, response FROM v CROSS JOIN idempotency WHERE tenant_id=vtenant AND key=vkey`,
		func(rows row) error {
			var id idempotent
			f, err := scanFirst(rows, &id)
			standing[id] = f
			return err
		})
}

// Replay answers what the first request under the key came to, if it was the
// same one. It takes no key.
func (s *Store) Replay(ctx context.Context, tenant int64, key string, hash [32]byte) (message.Acceptance, bool, error) {
	f, found, err := s.standing(ctx, tenant, key)
	return f.answer, found && f.hash == hash, err
}

// standing reads what stands under the key.
func (s *Store) standing(ctx context.Context, tenant int64, key string) (f first, found bool, err error) {
	err = s.read(ctx, "look for the first request of a key", func(ctx context.Context, t *txn) error {
		return t.rows(ctx, `
			SELECT tenant_id, key, hash, message_id, response FROM idempotency
			WHERE tenant_id=$1 AND key=$2 AND expires_at>`+t.clock(), []any{tenant, key}, func(rows row) (err error) {
			f, err = scanFirst(rows, &idempotent{})
			found = true
			return err
		})
	})
	return f, found && err == nil, err
}

func scanFirst(rows row, id *idempotent) (first, error) {
	var hash []byte
	var response string
	var messageID uuid.UUID
	if err := rows.Scan(&id.tenant, &id.key, &hash, &messageID, &response); err != nil {
		return first{}, err
	}
	var told firstAnswer
	if err := json.Unmarshal([]byte(response), &told); err != nil {
		return first{}, fmt.Errorf("read the answer kept under a key: %w", err)
	}
	f := first{answer: message.Acceptance{ID: messageID, Replayed: true, ScheduledAt: fromMillis(told.ScheduledAt)}, batch: told.Batch}
	copy(f.hash[:], bytes.Clone(hash))
	return f, nil
}

// forgetKeys deletes expired keys, a bounded number at a time and in all.
func (s *Store) forgetKeys(ctx context.Context) error { return s.forget(ctx, "idempotency") }

// forget does so with the keys of one table.
func (s *Store) forget(ctx context.Context, table string) error {
	for range keysPerSweep / mostRows {
		var l list
		err := s.tx(ctx, "forget idempotency keys", func(ctx context.Context, t *txn) error {
			l = list{columns: []column{{"vtenant", kindInt}, {"vkey", kindText}}}
			err := t.rows(ctx, `SELECT tenant_id, key FROM `+table+` WHERE expires_at<=`+t.clock()+
				` ORDER BY expires_at LIMIT $1`+t.skipLocked, []any{mostRows}, func(rows row) error {
				var id idempotent
				err := rows.Scan(&id.tenant, &id.key)
				l.rows = append(l.rows, []any{id.tenant, id.key})
				return err
			})
			if err != nil {
				return err
			}
			return t.each(ctx, l, `DELETE FROM `+table+` WHERE (tenant_id, key) IN (SELECT vtenant, vkey FROM v)`, nil)
		})
		if err != nil || len(l.rows) < mostRows {
			return err
		}
	}
	return nil
}
