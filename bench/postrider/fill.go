package postrider

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/message"

	"github.com/postrider/postrider/bench/job"
)

// rowsPerFill is how many mails one transaction of Fill writes.
const rowsPerFill = 100_000

// Fill has so many mails wait, numbered from first on. The first is accepted as any
// other; the rest are copies of its rows, written by the database itself, since to
// call for a million takes minutes. Their ids and due times rise as if a hundred had
// come in each millisecond before now.
func (s *System) Fill(ctx context.Context, first, mails int, lane message.Lane) error {
	if mails < 1 {
		return nil
	}
	model := job.Mail{N: first, Lane: string(lane)}
	if err := s.Accept(ctx, model); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	for from := 1; from < mails; from += rowsPerFill {
		to := min(mails, from+rowsPerFill) - 1
		if _, err := s.stack.DB().ExecContext(ctx, copies, model.To(), model.Subject(), first, from, to, mails); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	return s.settle(ctx)
}

// settle leaves the tables as they are some time after they were filled: planned for,
// and on the disk where the user may ask for that.
func (s *System) settle(ctx context.Context) error {
	if _, err := s.stack.DB().ExecContext(ctx, "ANALYZE messages, deliveries, outbox, idempotency"); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	_, _ = s.stack.DB().ExecContext(ctx, "CHECKPOINT") // otherwise it comes by itself
	return nil
}

// copies writes the mails from $4 to $5 after the one that went to $1 with the subject
// $2 and the number $3. $6 is how many there will be in all.
const copies = `
WITH model AS (
	SELECT m.*, d.channel, d.role, i.hash, i.response, i.expires_at AS key_expires
	FROM deliveries d JOIN messages m ON m.id = d.message_id JOIN idempotency i ON i.message_id = m.id
	WHERE d.address = $1
), mail AS (
	SELECT at, $3::bigint + i AS number,
		(lpad(to_hex(at), 12, '0') || '7' || lpad(to_hex(i % 100 * 40), 3, '0') || 'a' || left(md5(i::text), 15))::uuid AS new_id
	FROM model, generate_series($4::bigint, $5::bigint) AS i,
		LATERAL (SELECT model.created_at - 1 - ($6::bigint - i) / 100 AS at) AS earlier
), messages_done AS (
	INSERT INTO messages (id, tenant_id, kind, lane, head, content, on_unknown, scheduled_at, expires_at, trace, created_at)
	SELECT new_id, tenant_id, kind, lane,
		replace(replace(head, $1, number || '@example.com'), $2::text, 'Order ' || number),
		content, on_unknown, scheduled_at, expires_at, trace, at
	FROM mail, model
), keys_done AS (
	INSERT INTO idempotency (tenant_id, key, hash, message_id, response, expires_at)
	SELECT tenant_id, 'bench-' || number, hash, new_id, response, key_expires
	FROM mail, model
), deliveries_done AS (
	INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, expires_at, status, dispatch, next_attempt_at)
	SELECT new_id, 0, tenant_id, channel, role, number || '@example.com', lane, on_unknown, expires_at, 'queued', 1, at
	FROM mail, model
)
INSERT INTO outbox (message_id, n, dispatch, tenant_id, channel, lane, due_at)
SELECT new_id, 0, 1, tenant_id, channel, lane, at FROM mail, model`
