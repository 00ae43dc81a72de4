package partition

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// fill writes finished mails into each of so many days before today.
func (s *schema) fill(ctx context.Context, admin *pgx.Conn, days, each int) error {
	if _, err := admin.Exec(ctx, "SET search_path TO "+s.name); err != nil {
		return fmt.Errorf("fill %s: %w", s.name, err)
	}
	for back := 1; back <= days; back++ {
		if _, err := admin.Exec(ctx, finished, midnight(back).UnixMilli(), each); err != nil {
			return fmt.Errorf("fill %s: %w", s.name, err)
		}
	}
	if _, err := admin.Exec(ctx, "VACUUM ANALYZE messages, deliveries, attempts"); err != nil {
		return fmt.Errorf("fill %s: %w", s.name, err)
	}
	_, _ = admin.Exec(ctx, "CHECKPOINT") // otherwise it comes by itself
	return nil
}

// finished writes $2 mails that were sent at the first try, in the day that began at $1.
const finished = `
WITH mail AS (
	SELECT $1::bigint + i * 10 AS at,
		(lpad(to_hex($1::bigint + i * 10), 12, '0') || '7000a' || left(md5(i::text), 15))::uuid AS new_id
	FROM generate_series(0, $2::int - 1) AS i
), messages_done AS (
	INSERT INTO messages (id, tenant_id, kind, lane, head, content, on_unknown, trace, created_at)
	SELECT new_id, 1, 'email', 'normal', '{"to":[{"email":"a@example.com"}],"subject":"Order"}', repeat('Thank you. ', 45), 'resend', '', at
	FROM mail
), attempts_done AS (
	INSERT INTO attempts (message_id, n, claim, started_at, finished_at, relay_host, outcome, code, enhanced, detail)
	SELECT new_id, 0, 1, at, at + 20, 'relay.example.com', 'sent', 250, '2.0.0', 'Ok: queued' FROM mail
)
INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, dispatch, claim, finished_at)
SELECT new_id, 0, 1, 'email', 'to', 'a@example.com', 'normal', 'resend', 'sent', 1, 1, at + 20 FROM mail`
